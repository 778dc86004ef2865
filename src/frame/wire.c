/*
 * wire.c
 *		Frames as bytes: encoding, and decoding that believes nothing.
 *
 * What decoding lets through satisfies every promise that
 * measurement.h and frame.h make about the structs, so that the code behind
 * it needs no checks of its own.
 */
#include "wire.h"

#include "bytes.h"

#include <math.h>
#include <string.h>

#define FRAME_MAGIC		UINT32_C(0x7266464d)	/* "MFfr" */

/* Signature, header, and the end. */
#define PNG_LEAST_BYTES	(8 + 25 + 12)

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Writing
 */

static void
put_count(MfWriter *out, int64_t value)
{
	mf_put_bytes(out, (uint64_t) value, 8);
}

static void
put_double(MfWriter *out, double value)
{
	uint64_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	mf_put_bytes(out, bits, 8);
}

static void
put_point(MfWriter *out, const double *point)
{
	for (int axis = 0; axis < 3; axis++)
		put_double(out, point[axis]);
}

static void
put_hello(MfWriter *out, const MfHello *hello)
{
	mf_put_bytes(out, hello->protocol, 4);
	mf_put_bytes(out, hello->engine_version, 4);
	mf_put_small(out, hello->sandbox);
	mf_put_string(out, hello->version, sizeof(hello->version));
}

static void
put_job(MfWriter *out, const MfJobOrder *job)
{
	mf_put_bytes(out, job->size, 8);
	mf_put_bytes(out, job->memory_limit, 8);
	mf_put_bytes(out, job->max_triangles, 8);
	mf_put_bytes(out, job->cpu_seconds, 4);
	mf_put_bytes(out, job->threads, 4);
	mf_put_small(out, job->unit);
	mf_put_small(out, job->require_sandbox);
	mf_put_string(out, job->name, sizeof(job->name));
}

static void
put_progress(MfWriter *out, const MfProgress *progress)
{
	mf_put_small(out, progress->stage);
	mf_put_small(out, progress->percent);
}

static void
put_defect(MfWriter *out, const MfDefect *defect)
{
	mf_put_small(out, defect->code);
	mf_put_small(out, defect->severity);
	put_count(out, defect->count);
	mf_put_small(out, defect->repaired);
	mf_put_small(out, defect->located);
	if (defect->located)
		put_point(out, defect->at);
}

static void
put_walls(MfWriter *out, const MfMeasurement *m)
{
	put_double(out, m->min_wall_mm);
	put_point(out, m->min_wall_at);
	put_count(out, m->wall_samples);
	for (int i = 0; i < MF_WALL_SHARES; i++)
		put_double(out, m->wall_mm[i]);
}

static void
put_layers(MfWriter *out, const MfLayers *layers)
{
	const float *columns[] = {
		layers->area, layers->perimeter, layers->up, layers->down
	};

	mf_put_small(out, layers->count > 0);
	for (size_t c = 0; layers->count > 0 && c < lengthof(columns); c++)
		for (int i = 0; i < MF_LAYERS; i++)
		{
			uint32_t	bits;

			memcpy(&bits, &columns[c][i], sizeof(bits));
			mf_put_bytes(out, bits, 4);
		}
}

static void
put_result(MfWriter *out, const MfMeasurement *m)
{
	mf_put_small(out, m->format);
	mf_put_small(out, m->unit);
	mf_put_small(out, m->unit_from);
	put_count(out, m->triangles);
	put_count(out, m->vertices);
	put_count(out, m->bodies);
	put_count(out, m->cavities);
	put_count(out, m->euler_number);
	mf_put_small(out, m->watertight);
	mf_put_small(out, m->consistent_winding);
	put_point(out, m->bbox_min);
	put_point(out, m->bbox_max);
	put_double(out, m->area_mm2);
	put_double(out, m->volume_mm3);
	put_double(out, m->trapped_volume_mm3);
	put_double(out, m->overlap_volume_mm3);
	put_point(out, m->centroid);
	put_count(out, m->holes);
	put_walls(out, m);
	put_double(out, m->overhang_area_mm2);
	put_double(out, m->support_volume_mm3);
	put_double(out, m->convex_hull_volume_mm3);
	put_point(out, m->tight_box_mm);
	put_layers(out, &m->layers);
	mf_put_string(out, m->extensions, sizeof(m->extensions));
	put_double(out, m->measured_in_ms);
	if (m->defect_count < 0 || m->defect_count > MF_MAX_DEFECTS)
	{
		out->bad = true;
		return;
	}
	mf_put_small(out, (unsigned int) m->defect_count);
	for (int i = 0; i < m->defect_count; i++)
		put_defect(out, &m->defects[i]);
}

static void
put_refused(MfWriter *out, const MfRefusal *refused)
{
	mf_put_small(out, refused->code);
	mf_put_string(out, refused->text, sizeof(refused->text));
}

static void
put_picture(MfWriter *out, const MfPicture *picture)
{
	mf_put_bytes(out, picture->size, 4);
	mf_put_block(out, picture->png, picture->bytes <= MF_PICTURE_MAX_BYTES ?
				 picture->bytes : 0);
}

/*
 * Writes a frame; see wire.h.  That the receiver would accept it is checked
 * by reading it back: there is one set of rules, not two.
 */
size_t
mf_frame_encode(MfFrameType type, uint64_t tag, const void *payload,
				uint8_t *out)
{
	MfWriter	output = {out + MF_FRAME_HEADER, out + MF_FRAME_MAX, false};
	MfWriter	header = {out, out + MF_FRAME_HEADER, false};
	MfFrame		check;
	const char *why;
	size_t		length;

	switch (type)
	{
		case MF_FRAME_HELLO:
			put_hello(&output, payload);
			break;
		case MF_FRAME_JOB:
			put_job(&output, payload);
			break;
		case MF_FRAME_PROGRESS:
			put_progress(&output, payload);
			break;
		case MF_FRAME_RESULT:
			put_result(&output, payload);
			break;
		case MF_FRAME_REFUSED:
			put_refused(&output, payload);
			break;
		case MF_FRAME_PICTURE:
			put_picture(&output, payload);
			break;
		default:
			return 0;
	}
	if (output.bad)
		return 0;

	length = (size_t) (output.at - out);
	mf_put_bytes(&header, FRAME_MAGIC, 4);
	mf_put_bytes(&header, MF_FRAME_PROTOCOL, 4);
	mf_put_bytes(&header, type, 4);
	mf_put_bytes(&header, length - MF_FRAME_HEADER, 4);
	mf_put_bytes(&header, tag, 8);
	return mf_frame_decode(out, length, &check, &why) ? length : 0;
}

/*
 * Reading
 */

static int64_t
get_count(MfReader *in, int64_t first, int64_t last, const char *why)
{
	int64_t		value = (int64_t) mf_get_bytes(in, 8);

	mf_require(in, value >= first && value <= last, why);
	return value;
}

/* Every NaN becomes the plain one: its other bits could carry a message. */
static double
get_double(MfReader *in)
{
	uint64_t	bits = mf_get_bytes(in, 8);
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return isnan(value) ? NAN : value;
}

static double
get_finite(MfReader *in)
{
	double		value = get_double(in);

	mf_require(in, isfinite(value), "a number is not finite");
	return value;
}

/* A length, area, volume or time. */
static double
get_amount(MfReader *in)
{
	double		value = get_finite(in);

	mf_require(in, value >= 0, "an amount is negative");
	return value;
}

static double
get_amount_or_nan(MfReader *in)
{
	double		value = get_double(in);

	mf_require(in, isnan(value) || (isfinite(value) && value >= 0),
			   "an amount is negative or infinite");
	return value;
}

static void
get_point(MfReader *in, double *point)
{
	for (int axis = 0; axis < 3; axis++)
		point[axis] = get_finite(in);
}

static void
get_hello(MfReader *in, MfHello *hello)
{
	hello->protocol = mf_get_u32(in);
	mf_require(in, hello->protocol == MF_FRAME_PROTOCOL,
			   "the program speaks another protocol");
	hello->engine_version = mf_get_u32(in);
	hello->sandbox = mf_get_bool(in);
	mf_get_string(in, hello->version, sizeof(hello->version));
}

static void
get_job(MfReader *in, MfJobOrder *job)
{
	job->size = mf_get_bytes(in, 8);
	mf_require(in, job->size <= MF_PLAUSIBLE_BYTES, "the size is implausible");
	job->memory_limit = mf_get_bytes(in, 8);
	mf_require(in, job->memory_limit > 0 &&
			   job->memory_limit <= MF_PLAUSIBLE_BYTES,
			   "the memory limit is implausible");
	job->max_triangles = mf_get_bytes(in, 8);
	mf_require(in, job->max_triangles <= (uint64_t) MF_PLAUSIBLE_COUNT,
			   "the limit of triangles is implausible");
	job->cpu_seconds = mf_get_u32(in);
	mf_require(in, job->cpu_seconds > 0 &&
			   job->cpu_seconds <= MF_PLAUSIBLE_CPU_SECONDS,
			   "the time limit is implausible");
	job->threads = mf_get_u32(in);
	mf_require(in, job->threads > 0 && job->threads <= MF_PLAUSIBLE_THREADS,
			   "the number of threads is implausible");
	job->unit = (MfUnit) mf_get_small(in, MF_UNIT_NONE, MF_UNIT_LAST,
									  "the unit is unknown");
	job->require_sandbox = mf_get_bool(in);
	mf_get_string(in, job->name, sizeof(job->name));
}

static void
get_progress(MfReader *in, MfProgress *progress)
{
	progress->stage = (MfStage) mf_get_small(in, MF_STAGE_STARTING,
											 MF_STAGE_LAST,
											 "the stage is unknown");
	progress->percent = mf_get_small(in, 0, 100,
									 "the percentage is more than 100");
}

static void
get_defect(MfReader *in, MfDefect *defect)
{
	defect->code = (MfDefectCode) mf_get_small(in, 0, MF_DEFECT_LAST,
											   "the defect is unknown");
	defect->severity = (MfSeverity) mf_get_small(in, 0, MF_SEVERITY_LAST,
												 "the severity is unknown");
	defect->count = get_count(in, 1, 4 * MF_PLAUSIBLE_COUNT,
							  "the count of a defect is implausible");
	defect->repaired = mf_get_bool(in);
	defect->located = mf_get_bool(in);
	if (defect->located)
		get_point(in, defect->at);
}

/*
 * What the box tells about the other numbers.  A ray that meets T triangles
 * enters a closed surface at most T/2 times, so no point is inside it more
 * often; overlapping bodies do count twice, hence no tighter bound.  A
 * triangle in a box with diagonal d has less than d^2/2.  The slack is for
 * rounding: flat things have a box of no volume.
 */
static void
check_against_box(MfReader *in, const MfMeasurement *m)
{
	double		box = 1;
	double		diagonal2 = 0;
	double		extent = 0;
	double		slack;

	for (int axis = 0; axis < 3; axis++)
	{
		double		side = m->bbox_max[axis] - m->bbox_min[axis];

		mf_require(in, side >= 0, "the bounding box is inside out");
		mf_require(in, isfinite(side), "the bounding box is too large");
		box *= side;
		diagonal2 += side * side;
		extent = fmax(extent, side);
	}
	slack = 1e-6 * extent * extent * extent;

	/* Put so that an unknown number, or a bound that overflows, passes. */
	mf_require(in, !(m->volume_mm3 >
					 box * fmax(1, (double) m->triangles / 2) * (1 + 1e-6) + slack),
			   "the volume does not fit into the bounding box");
	mf_require(in, !(m->convex_hull_volume_mm3 > box * (1 + 1e-6) + slack),
			   "the convex hull does not fit into the bounding box");
	mf_require(in, !(m->area_mm2 >
					 (double) m->triangles * diagonal2 / 2 * (1 + 1e-6)),
			   "the area is more than the triangles can have");
}

static void
get_centroid(MfReader *in, MfMeasurement *m)
{
	int			unknown = 0;

	for (int axis = 0; axis < 3; axis++)
	{
		m->centroid[axis] = get_double(in);
		unknown += isnan(m->centroid[axis]) ? 1 : 0;
		mf_require(in, !isinf(m->centroid[axis]), "the centroid is infinite");
	}
	mf_require(in, unknown == 0 || unknown == 3,
			   "the centroid is known by half");
	mf_require(in, unknown == 3 || !isnan(m->volume_mm3),
			   "there is a centroid of an unknown volume");
}

/* All of the shares are known, or none. */
static void
get_walls(MfReader *in, MfMeasurement *m)
{
	m->min_wall_mm = get_amount_or_nan(in);
	get_point(in, m->min_wall_at);
	m->wall_samples = get_count(in, 0, MF_PLAUSIBLE_COUNT,
								"the number of walls is implausible");
	mf_require(in, m->wall_samples == 0 || !isnan(m->min_wall_mm),
			   "there are walls without a thickness");
	for (int i = 0; i < MF_WALL_SHARES; i++)
	{
		m->wall_mm[i] = get_amount_or_nan(in);
		mf_require(in, isnan(m->wall_mm[i]) == isnan(m->min_wall_mm) &&
				   (i == 0 || !(m->wall_mm[i] < m->wall_mm[i - 1])),
				   "the shares of the walls are out of order");
	}
}

static void
get_layers(MfReader *in, MfLayers *layers)
{
	float	   *columns[] = {
		layers->area, layers->perimeter, layers->up, layers->down
	};

	layers->count = mf_get_bool(in) ? MF_LAYERS : 0;
	for (size_t c = 0; layers->count > 0 && c < lengthof(columns); c++)
		for (int i = 0; i < MF_LAYERS && in->why == NULL; i++)
		{
			const uint32_t bits = mf_get_u32(in);

			memcpy(&columns[c][i], &bits, sizeof(bits));
			mf_require(in, isfinite(columns[c][i]) && columns[c][i] >= 0,
					   "a layer has a negative or infinite amount");
		}
}

/* The sides of the tight box: known, or not at all. */
static void
get_tight_box(MfReader *in, MfMeasurement *m)
{
	for (int i = 0; i < 3; i++)
	{
		m->tight_box_mm[i] = get_amount_or_nan(in);
		mf_require(in, isnan(m->tight_box_mm[i]) ==
				   isnan(m->tight_box_mm[0]),
				   "the tight box is known by half");
	}
}

static void
get_result(MfReader *in, MfMeasurement *m)
{
	m->format = (MfFormat) mf_get_small(in, MF_FORMAT_UNKNOWN + 1,
										MF_FORMAT_LAST,
										"the format is unknown");
	m->unit = (MfUnit) mf_get_small(in, MF_UNIT_NONE + 1, MF_UNIT_LAST,
									"the unit is unknown");
	m->unit_from = (MfUnitFrom) mf_get_small(in, 0, MF_UNIT_FROM_LAST,
											 "the origin of the unit is unknown");
	m->triangles = get_count(in, 0, MF_PLAUSIBLE_COUNT,
							 "the number of triangles is implausible");
	m->vertices = get_count(in, 0, 3 * MF_PLAUSIBLE_COUNT,
							"the number of vertices is implausible");
	m->bodies = get_count(in, 0, m->triangles,
						  "the number of bodies is implausible");
	m->cavities = get_count(in, 0, m->triangles,
							"the number of cavities is implausible");
	m->euler_number = get_count(in, -4 * MF_PLAUSIBLE_COUNT,
								4 * MF_PLAUSIBLE_COUNT,
								"the Euler number is implausible");
	m->watertight = mf_get_bool(in);
	m->consistent_winding = mf_get_bool(in);
	get_point(in, m->bbox_min);
	get_point(in, m->bbox_max);
	m->area_mm2 = get_amount(in);
	m->volume_mm3 = get_amount_or_nan(in);
	m->trapped_volume_mm3 = get_amount_or_nan(in);
	m->overlap_volume_mm3 = get_amount_or_nan(in);
	get_centroid(in, m);
	m->holes = get_count(in, 0, 3 * MF_PLAUSIBLE_COUNT,
						 "the number of holes is implausible");
	get_walls(in, m);
	m->overhang_area_mm2 = get_amount_or_nan(in);
	m->support_volume_mm3 = get_amount_or_nan(in);
	m->convex_hull_volume_mm3 = get_amount_or_nan(in);
	get_tight_box(in, m);
	get_layers(in, &m->layers);
	mf_get_string(in, m->extensions, sizeof(m->extensions));
	m->measured_in_ms = get_amount(in);
	check_against_box(in, m);
	m->defect_count = (int) mf_get_small(in, 0, MF_MAX_DEFECTS,
										 "there are too many defects");
	for (int i = 0; i < m->defect_count && in->why == NULL; i++)
		get_defect(in, &m->defects[i]);
}

static void
get_refused(MfReader *in, MfRefusal *refused)
{
	refused->code = (MfErrorCode) mf_get_small(in, MF_ERROR_NONE + 1,
											   MF_ERROR_LAST,
											   "the error code is unknown");
	mf_get_string(in, refused->text, sizeof(refused->text));
}

/*
 * Does a picture begin and end as a PNG of this size does?  RFC 2083: the
 * signature, a header of 13 bytes that begins with width and height, and an
 * empty IEND with its check sum.
 */
static bool
looks_like_png(const uint8_t *png, size_t bytes, uint32_t size)
{
	static const uint8_t begin[] = "\211PNG\r\n\032\n\0\0\0\rIHDR";
	static const uint8_t end[] = "\0\0\0\0IEND\256B`\202";
	const size_t begin_bytes = sizeof(begin) - 1;
	const size_t end_bytes = sizeof(end) - 1;
	const uint8_t *side = png + begin_bytes;

	if (bytes < PNG_LEAST_BYTES || memcmp(png, begin, begin_bytes) != 0 ||
		memcmp(png + bytes - end_bytes, end, end_bytes) != 0)
		return false;
	for (int i = 0; i < 8; i++)
		if (side[i] != (uint8_t) (size >> (24 - 8 * (i % 4))))
			return false;
	return true;
}

static void
get_picture(MfReader *in, MfPicture *picture)
{
	const char *png;
	size_t		bytes;
	bool		known = false;

	picture->size = mf_get_u32(in);
	for (int i = 0; i < MF_PICTURE_COUNT; i++)
		known |= picture->size == mf_picture_sizes[i];
	mf_require(in, known, "the picture has another size");
	png = mf_get_block(in, MF_PICTURE_MAX_BYTES, "the picture is too long",
					   &bytes);
	if (in->why != NULL)
		return;
	mf_require(in, looks_like_png((const uint8_t *) png, bytes, picture->size),
			   "the picture is not a PNG of its size");
	memcpy(picture->png, png, bytes);
	picture->bytes = (uint32_t) bytes;
}

static void
get_header(MfReader *in, MfFrame *frame)
{
	uint32_t	type;
	uint32_t	length;

	mf_require(in, mf_get_u32(in) == FRAME_MAGIC, "this is not a frame");
	mf_require(in, mf_get_u32(in) == MF_FRAME_PROTOCOL,
			   "the frame is of another protocol version");
	type = mf_get_u32(in);
	mf_require(in, type >= MF_FRAME_HELLO && type <= MF_FRAME_TYPE_LAST,
			   "the type of the frame is unknown");
	length = mf_get_u32(in);
	frame->tag = mf_get_bytes(in, 8);
	mf_require(in, length == (uint64_t) (in->end - in->at),
			   "the length of the frame is wrong");
	mf_require(in, type != MF_FRAME_HELLO || frame->tag == 0,
			   "a greeting has a tag");
	if (in->why == NULL)
		frame->type = (MfFrameType) type;
}

/*
 * Reads a frame; see wire.h.
 */
bool
mf_frame_decode(const uint8_t *bytes, size_t length, MfFrame *frame,
				const char **why)
{
	MfReader	in = {bytes, bytes + length, NULL};

	mf_frame_clear(frame);
	mf_require(&in, length <= MF_FRAME_MAX, "the frame is too long");
	get_header(&in, frame);
	if (in.why == NULL)
	{
		switch (frame->type)
		{
			case MF_FRAME_HELLO:
				get_hello(&in, &frame->u.hello);
				break;
			case MF_FRAME_JOB:
				get_job(&in, &frame->u.job);
				break;
			case MF_FRAME_PROGRESS:
				get_progress(&in, &frame->u.progress);
				break;
			case MF_FRAME_RESULT:
				get_result(&in, &frame->u.result);
				break;
			case MF_FRAME_REFUSED:
				get_refused(&in, &frame->u.refused);
				break;
			case MF_FRAME_PICTURE:
				get_picture(&in, &frame->u.picture);
				break;
		}
		mf_require(&in, in.at == in.end, "the frame is too long");
	}
	*why = in.why;
	return in.why == NULL;
}
