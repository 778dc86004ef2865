/*
 * samples.c
 *		See samples.h.  The promises are written down here a second time, from
 *		the headers' comments and not from the decoder.
 */
#include "samples.h"

#include <math.h>
#include <string.h>

MfMeasurement
sample_cube(void)
{
	MfMeasurement m;

	memset(&m, 0, sizeof(m));
	m.format = MF_FORMAT_STL;
	m.unit = MF_UNIT_MM;
	m.unit_from = MF_UNIT_FROM_DEFAULT;
	m.triangles = 12;
	m.vertices = 8;
	m.bodies = 1;
	m.euler_number = 2;
	m.watertight = true;
	m.consistent_winding = true;
	m.volume_mm3 = 1000;
	m.area_mm2 = 600;
	for (int axis = 0; axis < 3; axis++)
	{
		m.bbox_min[axis] = -5;
		m.bbox_max[axis] = 5;
	}
	m.trapped_volume_mm3 = 0;
	m.overlap_volume_mm3 = NAN;
	m.min_wall_mm = 10;
	m.wall_samples = 12;
	for (int i = 0; i < MF_WALL_SHARES; i++)
		m.wall_mm[i] = 10 + i;
	for (int i = 0; i < 3; i++)
		m.tight_box_mm[i] = 10;
	m.layers.count = MF_LAYERS;
	for (int i = 0; i < MF_LAYERS; i++)
	{
		m.layers.area[i] = 100;
		m.layers.perimeter[i] = 40;
		m.layers.up[i] = i == MF_LAYERS - 1 ? 100 : 0;
		m.layers.down[i] = i == 0 ? 100 : 0;
	}
	strcpy(m.extensions, "slice, beam lattice");
	m.overhang_area_mm2 = 0;
	m.support_volume_mm3 = NAN;
	m.convex_hull_volume_mm3 = 1000;
	m.measured_in_ms = 0.25;
	return m;
}

MfMeasurement
sample_defective(void)
{
	const double place[3] = {1, -2, 0.1};
	MfMeasurement m = sample_cube();

	memset(&m.layers, 0, sizeof(m.layers));
	m.volume_mm3 = NAN;
	m.centroid[0] = m.centroid[1] = m.centroid[2] = NAN;
	for (int i = 0; i < MF_MAX_DEFECTS; i++)
		mf_measurement_add_defect(&m, i % (MF_DEFECT_LAST + 1),
								  i % (MF_SEVERITY_LAST + 1), i + 1,
								  i % 2 == 0 ? place : NULL, i % 3 == 0);
	return m;
}

MfPicture
sample_picture(uint32_t size)
{
	static const char begin[] = "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";
	static const char end[] = "\0\0\0\0IEND\xae\x42\x60\x82";
	MfPicture	picture;

	memset(&picture, 0, sizeof(picture));
	picture.size = size;
	picture.bytes = 60;
	memcpy(picture.png, begin, 16);
	for (int side = 0; side < 2; side++)
	{
		picture.png[16 + 4 * side + 2] = (uint8_t) (size >> 8);
		picture.png[16 + 4 * side + 3] = (uint8_t) size;
	}
	memset(picture.png + 24, 'x', 24);
	memcpy(picture.png + 48, end, 12);
	return picture;
}

const void *
sample(int number, MfFrameType *type, uint64_t *tag, const char **name)
{
	static const MfHello hello = {MF_FRAME_PROTOCOL, MF_ENGINE_VERSION, true,
	"0.1"};
	static const MfJobOrder job = {UINT64_C(1) << 30, UINT64_C(4) << 30,
	20000000, 60, 2, MF_UNIT_INCH, true, "a ring.stl"};
	static const MfProgress progress = {MF_STAGE_TOPOLOGY, 55};
	static const MfRefusal refused = {MF_ERROR_MALFORMED,
	"Line 7 is not a triangle."};
	static const MfRefusal silent = {MF_ERROR_CRASHED, ""};
	static MfPicture picture;
	static MfMeasurement plain;
	static MfMeasurement defective;

	*tag = number == 0 ? 0 : UINT64_C(0x0123456789abcdef);
	switch (number)
	{
		case 0:
			*type = MF_FRAME_HELLO;
			*name = "HELLO";
			return &hello;
		case 1:
			*type = MF_FRAME_JOB;
			*name = "JOB";
			return &job;
		case 2:
			*type = MF_FRAME_PROGRESS;
			*name = "PROGRESS";
			return &progress;
		case 3:
			*type = MF_FRAME_RESULT;
			*name = "RESULT";
			plain = sample_cube();
			return &plain;
		case 4:
			*type = MF_FRAME_RESULT;
			*name = "RESULT with defects";
			defective = sample_defective();
			return &defective;
		case 5:
			*type = MF_FRAME_REFUSED;
			*name = "REFUSED";
			return &refused;
		case 6:
			*type = MF_FRAME_PICTURE;
			*name = "PICTURE";
			picture = sample_picture(256);
			return &picture;
		default:
			*type = MF_FRAME_REFUSED;
			*name = "REFUSED without a text";
			return &silent;
	}
}

static bool
in_range(int64_t value, int64_t first, int64_t last)
{
	return value >= first && value <= last;
}

/* An enum may be unsigned; its bits as a number. */
#define IN_ENUM(value, first, last) in_range((int64_t) (value), first, last)

/* A boolean that holds another byte is undefined behaviour to look at. */
static bool
is_bool(const bool *value)
{
	unsigned char byte;

	memcpy(&byte, value, 1);
	return byte <= 1;
}

static bool
is_text(const char *text, size_t size)
{
	size_t		length = strnlen(text, size);

	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return length < size;
}

static bool
is_amount(double value)
{
	return isfinite(value) && value >= 0;
}

static bool
is_amount_or_nan(double value)
{
	return isnan(value) || is_amount(value);
}

static bool
result_keeps(const MfMeasurement *m)
{
	const int64_t many = INT64_C(1) << 40;
	double		box = 1;

	for (int axis = 0; axis < 3; axis++)
	{
		if (!isfinite(m->bbox_min[axis]) || !isfinite(m->bbox_max[axis]) ||
			m->bbox_min[axis] > m->bbox_max[axis] ||
			isinf(m->centroid[axis]) ||
			isnan(m->centroid[axis]) != isnan(m->centroid[0]) ||
			(isnan(m->volume_mm3) && !isnan(m->centroid[axis])))
			return false;
		box *= m->bbox_max[axis] - m->bbox_min[axis];
	}
	if (!IN_ENUM(m->format, 1, MF_FORMAT_LAST) ||
		!IN_ENUM(m->unit, 1, MF_UNIT_LAST) ||
		!IN_ENUM(m->unit_from, 0, MF_UNIT_FROM_LAST) ||
		!in_range(m->triangles, 0, many) ||
		!in_range(m->vertices, 0, 3 * many) ||
		!in_range(m->bodies, 0, many) ||
		!in_range(m->cavities, 0, many) ||
		!in_range(m->euler_number, -4 * many, 4 * many) ||
		!is_bool(&m->watertight) || !is_bool(&m->consistent_winding) ||
		!is_amount(m->area_mm2) || !is_amount_or_nan(m->volume_mm3) ||
		!is_amount_or_nan(m->min_wall_mm) ||
		!is_amount_or_nan(m->overhang_area_mm2) ||
		!is_amount_or_nan(m->support_volume_mm3) ||
		!is_amount_or_nan(m->convex_hull_volume_mm3) ||
		!is_amount(m->measured_in_ms) ||
		!in_range(m->defect_count, 0, MF_MAX_DEFECTS))
		return false;

	/* Only for a few triangles and a box that has a volume. */
	if (m->triangles <= 12 && box > 1 && isfinite(box) &&
		m->volume_mm3 > 100 * box)
		return false;
	for (int i = 0; i < m->defect_count; i++)
	{
		const MfDefect *defect = &m->defects[i];

		if (!IN_ENUM(defect->code, 0, MF_DEFECT_LAST) ||
			!IN_ENUM(defect->severity, 0, MF_SEVERITY_LAST) ||
			!in_range(defect->count, 1, 4 * many) ||
			!is_bool(&defect->located) || !is_bool(&defect->repaired) ||
			!isfinite(defect->at[0]) || !isfinite(defect->at[1]) ||
			!isfinite(defect->at[2]))
			return false;
	}
	return true;
}

static bool
picture_keeps(const MfPicture *picture)
{
	const uint8_t *png = picture->png;
	const uint8_t *end = png + picture->bytes - 12;

	return (picture->size == 64 || picture->size == 128 ||
			picture->size == 256 || picture->size == 512) &&
		picture->bytes >= 45 && picture->bytes <= MF_PICTURE_MAX_BYTES &&
		memcmp(png, "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", 16) == 0 &&
		png[16] == 0 && png[17] == 0 && png[20] == 0 && png[21] == 0 &&
		(uint32_t) png[18] * 256 + png[19] == picture->size &&
		(uint32_t) png[22] * 256 + png[23] == picture->size &&
		memcmp(end, "\0\0\0\0IEND\xae\x42\x60\x82", 12) == 0;
}

bool
keeps_promises(const MfFrame *frame)
{
	const MfJobOrder *job = &frame->u.job;

	if (frame->memfd != -1)
		return false;
	switch (frame->type)
	{
		case MF_FRAME_HELLO:
			return frame->tag == 0 && is_bool(&frame->u.hello.sandbox) &&
				frame->u.hello.protocol == MF_FRAME_PROTOCOL &&
				is_text(frame->u.hello.version,
						sizeof(frame->u.hello.version));
		case MF_FRAME_JOB:
			return job->memory_limit > 0 && job->cpu_seconds > 0 &&
				job->threads > 0 && is_bool(&job->require_sandbox) &&
				IN_ENUM(job->unit, 0, MF_UNIT_LAST) &&
				job->size <= UINT64_C(1) << 50 &&
				job->memory_limit <= UINT64_C(1) << 50 &&
				job->max_triangles <= UINT64_C(1) << 40 &&
				is_text(job->name, sizeof(job->name));
		case MF_FRAME_PROGRESS:
			return IN_ENUM(frame->u.progress.stage, 0, MF_STAGE_LAST) &&
				frame->u.progress.percent <= 100;
		case MF_FRAME_RESULT:
			return result_keeps(&frame->u.result);
		case MF_FRAME_REFUSED:
			return IN_ENUM(frame->u.refused.code, 1, MF_ERROR_LAST) &&
				is_text(frame->u.refused.text, sizeof(frame->u.refused.text));
		case MF_FRAME_PICTURE:
			return picture_keeps(&frame->u.picture);
	}
	return false;
}

static bool
same_double(double a, double b)
{
	return isnan(a) ? isnan(b) : a == b;
}

static bool
same_point(const double *a, const double *b)
{
	return same_double(a[0], b[0]) && same_double(a[1], b[1]) &&
		same_double(a[2], b[2]);
}

bool
same_measurement(const MfMeasurement *a, const MfMeasurement *b)
{
	if (a->format != b->format || a->unit != b->unit ||
		a->unit_from != b->unit_from || a->triangles != b->triangles ||
		a->vertices != b->vertices || a->bodies != b->bodies ||
		a->cavities != b->cavities || a->euler_number != b->euler_number ||
		a->watertight != b->watertight ||
		a->consistent_winding != b->consistent_winding ||
		!same_double(a->volume_mm3, b->volume_mm3) ||
		!same_double(a->area_mm2, b->area_mm2) ||
		!same_point(a->bbox_min, b->bbox_min) ||
		!same_point(a->bbox_max, b->bbox_max) ||
		!same_point(a->centroid, b->centroid) ||
		!same_double(a->min_wall_mm, b->min_wall_mm) ||
		!same_double(a->overhang_area_mm2, b->overhang_area_mm2) ||
		!same_double(a->support_volume_mm3, b->support_volume_mm3) ||
		!same_double(a->convex_hull_volume_mm3,
					 b->convex_hull_volume_mm3) ||
		!same_double(a->measured_in_ms, b->measured_in_ms) ||
		a->defect_count != b->defect_count)
		return false;
	for (int i = 0; i < a->defect_count; i++)
		if (a->defects[i].code != b->defects[i].code ||
			a->defects[i].severity != b->defects[i].severity ||
			a->defects[i].count != b->defects[i].count ||
			a->defects[i].located != b->defects[i].located ||
			a->defects[i].repaired != b->defects[i].repaired ||
			!same_point(a->defects[i].at, b->defects[i].at))
			return false;
	return true;
}

bool
same_frame(const MfFrame *a, const MfFrame *b)
{
	const MfJobOrder *job = &a->u.job;
	const MfJobOrder *other = &b->u.job;

	if (a->type != b->type || a->tag != b->tag)
		return false;
	switch (a->type)
	{
		case MF_FRAME_HELLO:
			return a->u.hello.protocol == b->u.hello.protocol &&
				a->u.hello.engine_version == b->u.hello.engine_version &&
				a->u.hello.sandbox == b->u.hello.sandbox &&
				strcmp(a->u.hello.version, b->u.hello.version) == 0;
		case MF_FRAME_JOB:
			return job->size == other->size &&
				job->memory_limit == other->memory_limit &&
				job->max_triangles == other->max_triangles &&
				job->cpu_seconds == other->cpu_seconds &&
				job->threads == other->threads && job->unit == other->unit &&
				job->require_sandbox == other->require_sandbox &&
				strcmp(job->name, other->name) == 0;
		case MF_FRAME_PROGRESS:
			return a->u.progress.stage == b->u.progress.stage &&
				a->u.progress.percent == b->u.progress.percent;
		case MF_FRAME_RESULT:
			return same_measurement(&a->u.result, &b->u.result);
		case MF_FRAME_REFUSED:
			return a->u.refused.code == b->u.refused.code &&
				strcmp(a->u.refused.text, b->u.refused.text) == 0;
		case MF_FRAME_PICTURE:
			return a->u.picture.size == b->u.picture.size &&
				a->u.picture.bytes == b->u.picture.bytes &&
				memcmp(a->u.picture.png, b->u.picture.png,
					   a->u.picture.bytes) == 0;
	}
	return false;
}
