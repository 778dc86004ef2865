/*
 * test_wire.c
 *		Frames as bytes: what was said is what is heard, and nothing else gets
 *		through.
 */
#include "frame/wire.h"
#include "samples.h"
#include "tap.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Decodes from a block of exactly that size, so that the sanitizer sees a
 * single byte read beyond it.
 */
static bool
decode(const uint8_t *bytes, size_t length, MfFrame *frame, const char **why)
{
	uint8_t    *exact = malloc(length > 0 ? length : 1);
	bool		good;

	memcpy(exact, bytes, length);
	good = mf_frame_decode(exact, length, frame, why);
	free(exact);
	return good;
}

static const void *
payload_of(const MfFrame *frame)
{
	return &frame->u;
}

/*
 * Bytes that may be anything: refused with a reason, or a frame that keeps
 * its promises and says the same when sent on.
 */
static bool
harmless(const uint8_t *bytes, size_t length, bool *accepted)
{
	static uint8_t again[MF_FRAME_MAX];
	static MfFrame frame;
	static MfFrame second;
	const char *why;
	size_t		length_again;

	*accepted = decode(bytes, length, &frame, &why);
	if (!*accepted)
		return why != NULL && why[0] != '\0';
	if (!keeps_promises(&frame))
		return false;
	length_again = mf_frame_encode(frame.type, frame.tag, payload_of(&frame),
								   again);
	return length_again == length &&
		decode(again, length_again, &second, &why) &&
		same_frame(&frame, &second);
}

static void
test_samples(void)
{
	for (int number = 0; number < SAMPLE_COUNT; number++)
	{
		uint8_t		bytes[MF_FRAME_MAX + 16];
		uint8_t		changed[MF_FRAME_MAX + 16];
		MfFrame		frame;
		MfFrame		expected;
		MfFrameType type;
		const char *name;
		const char *why;
		uint64_t	tag;
		const void *payload = sample(number, &type, &tag, &name);
		size_t		length = mf_frame_encode(type, tag, payload, bytes);
		bool		accepted;
		int			wrong = 0;
		int			taken = 0;
		static const size_t sizes[] = {
			0, sizeof(MfHello), sizeof(MfJobOrder), sizeof(MfProgress),
			sizeof(MfMeasurement), sizeof(MfRefusal), sizeof(MfPicture)
		};

		memset(&expected, 0, sizeof(expected));
		expected.type = type;
		expected.tag = tag;
		memcpy(&expected.u, payload, sizes[type]);
		ok(length > MF_FRAME_HEADER && decode(bytes, length, &frame, &why) &&
		   why == NULL && keeps_promises(&frame) &&
		   same_frame(&frame, &expected),
		   "%s: arrives as it was sent, %zu bytes", name, length);

		for (size_t cut = 0; cut < length; cut++)
			if (decode(bytes, cut, &frame, &why))
				wrong++;
		ok(wrong == 0, "%s: every truncation is noticed", name);

		/* A length that lies along with the truncation, too. */
		for (size_t cut = MF_FRAME_HEADER; cut < length; cut++)
		{
			size_t		payload_length = cut - MF_FRAME_HEADER;

			memcpy(changed, bytes, length);
			changed[12] = (uint8_t) payload_length;
			changed[13] = (uint8_t) (payload_length >> 8);
			if (decode(changed, cut, &frame, &why))
				wrong++;
		}
		ok(wrong == 0, "%s: and every one with a length to match", name);

		memcpy(changed, bytes, length);
		memset(changed + length, 0, 16);
		for (size_t extra = 1; extra <= 16; extra++)
		{
			size_t		payload_length = length + extra - MF_FRAME_HEADER;

			changed[12] = bytes[12];
			changed[13] = bytes[13];
			if (decode(changed, length + extra, &frame, &why))
				wrong++;
			changed[12] = (uint8_t) payload_length;
			changed[13] = (uint8_t) (payload_length >> 8);
			if (decode(changed, length + extra, &frame, &why))
				wrong++;
		}
		ok(wrong == 0, "%s: extra bytes are noticed", name);

		memcpy(changed, bytes, length);
		for (size_t at = 0; at < length; at++)
		{
			for (int value = 0; value < 256; value++)
			{
				changed[at] = (uint8_t) value;
				if (!harmless(changed, length, &accepted))
					wrong++;
				if (accepted && at < 16 && value != bytes[at])
					wrong++;
				taken += accepted ? 1 : 0;
			}
			changed[at] = bytes[at];
		}
		ok(wrong == 0 && taken >= (int) length,
		   "%s: no single byte makes it say what it may not (%d of %zu accepted)",
		   name, taken, 256 * length);
	}
}

static void
test_random(void)
{
	unsigned long state = 7;
	uint8_t		bytes[MF_FRAME_MAX];
	bool		accepted;
	int			wrong = 0;
	int			taken = 0;

	for (int i = 0; i < 20000; i++)
	{
		size_t		length = next_random(&state) % 512;

		for (size_t at = 0; at < length; at++)
			bytes[at] = (uint8_t) (next_random(&state) >> 24);
		if (!harmless(bytes, length, &accepted) || accepted)
			wrong++;
	}
	ok(wrong == 0, "20000 packets of noise are refused");

	/* Good headers, several bytes changed behind them. */
	for (int i = 0; i < 40000; i++)
	{
		MfFrameType type;
		uint64_t	tag;
		const char *name;
		const void *payload = sample(i % SAMPLE_COUNT, &type, &tag, &name);
		size_t		length = mf_frame_encode(type, tag, payload, bytes);
		int			changes = 1 + (int) (next_random(&state) % 8);

		while (changes-- > 0)
			bytes[MF_FRAME_HEADER +
				  next_random(&state) % (length - MF_FRAME_HEADER)] =
				(uint8_t) (next_random(&state) >> 24);
		if (!harmless(bytes, length, &accepted))
			wrong++;
		taken += accepted ? 1 : 0;
	}
	ok(wrong == 0 && taken > 1000 && taken < 39000,
	   "40000 damaged frames do no harm (%d accepted)", taken);
}

/*
 * What the receiver must not accept cannot be sent either: `change` is done
 * to a cube.
 */
#define REFUSED(change, text) \
	do { \
		MfMeasurement m = sample_cube(); \
		change; \
		ok(mf_frame_encode(MF_FRAME_RESULT, 1, &m, bytes) == 0, "%s", text); \
	} while (0)

#define ACCEPTED(change, text) \
	do { \
		MfMeasurement m = sample_cube(); \
		change; \
		ok(mf_frame_encode(MF_FRAME_RESULT, 1, &m, bytes) > 0, "%s", text); \
	} while (0)

static void
test_results(void)
{
	uint8_t		bytes[MF_FRAME_MAX];

	REFUSED(m.format = MF_FORMAT_UNKNOWN, "no format");
	REFUSED(m.format = MF_FORMAT_LAST + 1, "a format that is none");
	REFUSED(m.unit = MF_UNIT_NONE, "no unit");
	REFUSED(m.unit = MF_UNIT_LAST + 1, "a unit that is none");
	REFUSED(m.unit = 256 + MF_UNIT_MM, "a unit that is one by its low byte");
	REFUSED(m.unit_from = MF_UNIT_FROM_LAST + 1, "a unit from nowhere");
	REFUSED(m.triangles = -1, "a negative number of triangles");
	REFUSED(m.triangles = (INT64_C(1) << 40) + 1, "too many triangles");
	REFUSED(m.vertices = -1, "a negative number of vertices");
	REFUSED(m.vertices = INT64_MAX, "too many vertices");
	REFUSED(m.bodies = -1, "a negative number of bodies");
	REFUSED(m.bodies = 13, "more bodies than triangles");
	REFUSED(m.cavities = 13, "more cavities than triangles");
	REFUSED(m.euler_number = INT64_MIN, "an implausible Euler number");
	REFUSED(m.bbox_min[1] = 5.1, "a bounding box inside out");
	REFUSED(m.bbox_min[1] = NAN, "a bounding box without a corner");
	REFUSED(m.bbox_max[2] = INFINITY, "an endless bounding box");
	REFUSED((m.bbox_min[0] = -DBL_MAX, m.bbox_max[0] = DBL_MAX),
			"a bounding box of endless width");
	REFUSED(m.volume_mm3 = -1, "a negative volume");
	REFUSED(m.volume_mm3 = INFINITY, "an infinite volume");
	REFUSED(m.volume_mm3 = 6001, "a volume beyond six times the box");
	REFUSED((m.bbox_max[2] = m.bbox_min[2], m.volume_mm3 = 1,
			 m.area_mm2 = 200, m.convex_hull_volume_mm3 = 0),
			"a volume in a flat box");
	REFUSED(m.convex_hull_volume_mm3 = 1001, "a hull beyond the box");
	REFUSED(m.area_mm2 = NAN, "no area");
	REFUSED(m.area_mm2 = -1, "a negative area");
	REFUSED(m.area_mm2 = 1801, "more area than twelve triangles have there");
	REFUSED(m.centroid[2] = NAN, "half a centroid");
	REFUSED(m.centroid[2] = INFINITY, "a centroid far away");
	REFUSED(m.volume_mm3 = NAN, "a centroid of an unknown volume");
	REFUSED(m.min_wall_mm = -1, "a negative wall");
	REFUSED(m.overhang_area_mm2 = INFINITY, "an infinite overhang");
	REFUSED(m.support_volume_mm3 = -1, "negative support");
	REFUSED(m.measured_in_ms = NAN, "no time");
	REFUSED(m.measured_in_ms = -1, "a negative time");
	REFUSED(m.defect_count = -1, "a negative number of defects");
	REFUSED(m.defect_count = MF_MAX_DEFECTS + 1, "too many defects");
	REFUSED(m.defect_count = 1, "a defect that nobody counted");
	REFUSED((m.defect_count = 1, m.defects[0].count = 1,
			 m.defects[0].code = MF_DEFECT_LAST + 1), "an unknown defect");
	REFUSED((m.defect_count = 1, m.defects[0].count = 1,
			 m.defects[0].severity = MF_SEVERITY_LAST + 1),
			"an unknown severity");
	REFUSED((m.defect_count = 1, m.defects[0].count = 1,
			 m.defects[0].located = true, m.defects[0].at[1] = NAN),
			"a defect located nowhere");

	ACCEPTED((void) m, "the cube");
	ACCEPTED(m.volume_mm3 = 1000.0005, "a volume that was rounded up");
	ACCEPTED((m.triangles = 24, m.bodies = 2, m.volume_mm3 = 2000,
			  m.area_mm2 = 1200), "two bodies in one place count twice");
	ACCEPTED((m.bbox_max[2] = m.bbox_min[2], m.volume_mm3 = 1e-9,
			  m.area_mm2 = 200, m.convex_hull_volume_mm3 = 0),
			 "a flat model whose volume was rounded");
	ACCEPTED((m.bbox_min[0] = -1e300, m.bbox_min[1] = -1e300,
			  m.bbox_min[2] = m.bbox_max[2], m.volume_mm3 = 0,
			  m.convex_hull_volume_mm3 = 0, m.area_mm2 = 1e308),
			 "a box whose volume overflows");
	ACCEPTED((m.volume_mm3 = NAN,
			  m.centroid[0] = m.centroid[1] = m.centroid[2] = NAN),
			 "an open surface without volume and centroid");
	ACCEPTED((m.euler_number = -100, m.vertices = 0, m.watertight = false),
			 "a surface with many holes");
}

static void
test_others(void)
{
	const MfHello good_hello = {MF_FRAME_PROTOCOL, 1, false, ""};
	const MfJobOrder good_job = {0, 1, 0, 1, 1, MF_UNIT_NONE, false, ""};
	MfHello		hello = good_hello;
	MfJobOrder	job = good_job;
	MfProgress	progress = {MF_STAGE_DONE, 100};
	MfRefusal	refused;
	uint8_t		bytes[MF_FRAME_MAX];

	ok(mf_frame_encode(MF_FRAME_HELLO, 0, &hello, bytes) > 0 &&
	   mf_frame_encode(MF_FRAME_JOB, 0, &job, bytes) > 0 &&
	   mf_frame_encode(MF_FRAME_PROGRESS, 0, &progress, bytes) > 0,
	   "frames with the least in them");
	ok(mf_frame_encode(0, 0, &hello, bytes) == 0 &&
	   mf_frame_encode(MF_FRAME_TYPE_LAST + 1, 0, &hello, bytes) == 0,
	   "a type that is none");

	ok(mf_frame_encode(MF_FRAME_HELLO, 1, &hello, bytes) == 0,
	   "a greeting with a tag");
	hello.protocol++;
	ok(mf_frame_encode(MF_FRAME_HELLO, 0, &hello, bytes) == 0,
	   "a greeting in another protocol");
	hello = good_hello;
	memset(hello.version, 'x', sizeof(hello.version));
	ok(mf_frame_encode(MF_FRAME_HELLO, 0, &hello, bytes) == 0,
	   "a version that does not end");
	memcpy(hello.version, "\n", 2);
	ok(mf_frame_encode(MF_FRAME_HELLO, 0, &hello, bytes) == 0,
	   "a version that cannot be printed");

	job.memory_limit = 0;
	ok(mf_frame_encode(MF_FRAME_JOB, 1, &job, bytes) == 0, "no memory");
	job = good_job;
	job.size = UINT64_MAX;
	ok(mf_frame_encode(MF_FRAME_JOB, 1, &job, bytes) == 0,
	   "a size beyond all measure");
	job = good_job;
	job.max_triangles = UINT64_MAX;
	ok(mf_frame_encode(MF_FRAME_JOB, 1, &job, bytes) == 0,
	   "a limit of triangles beyond all measure");
	job = good_job;
	job.cpu_seconds = 0;
	ok(mf_frame_encode(MF_FRAME_JOB, 1, &job, bytes) == 0, "no time");
	job.cpu_seconds = UINT32_MAX;
	ok(mf_frame_encode(MF_FRAME_JOB, 1, &job, bytes) == 0,
	   "a time beyond all measure");
	job = good_job;
	job.threads = 0;
	ok(mf_frame_encode(MF_FRAME_JOB, 1, &job, bytes) == 0, "no thread");
	job = good_job;
	job.unit = MF_UNIT_LAST + 1;
	ok(mf_frame_encode(MF_FRAME_JOB, 1, &job, bytes) == 0, "a unit that is none");
	job = good_job;
	memcpy(job.name, "\xc3\xa9.stl", 7);
	ok(mf_frame_encode(MF_FRAME_JOB, 1, &job, bytes) == 0,
	   "a name that is not ASCII");

	progress.percent = 101;
	ok(mf_frame_encode(MF_FRAME_PROGRESS, 1, &progress, bytes) == 0,
	   "more than all done");
	progress.percent = 256;
	ok(mf_frame_encode(MF_FRAME_PROGRESS, 1, &progress, bytes) == 0,
	   "far more than all done");
	progress.percent = 0;
	progress.stage = MF_STAGE_LAST + 1;
	ok(mf_frame_encode(MF_FRAME_PROGRESS, 1, &progress, bytes) == 0,
	   "a stage that is none");

	memset(&refused, 0, sizeof(refused));
	ok(mf_frame_encode(MF_FRAME_REFUSED, 1, &refused, bytes) == 0,
	   "refused for no error");
	refused.code = MF_ERROR_LAST + 1;
	ok(mf_frame_encode(MF_FRAME_REFUSED, 1, &refused, bytes) == 0,
	   "refused for an unknown error");
	refused.code = MF_ERROR_LAST;
	memset(refused.text, 'x', MF_MAX_REFUSAL);
	ok(mf_frame_encode(MF_FRAME_REFUSED, 1, &refused, bytes) > 0,
	   "the longest refusal");
	refused.text[MF_MAX_REFUSAL] = 'x';
	ok(mf_frame_encode(MF_FRAME_REFUSED, 1, &refused, bytes) == 0,
	   "a refusal that does not end");
}

/* The sample with a change is not sent. */
#define NO_PICTURE(change, text) \
	do { \
		MfPicture	picture = sample_picture(256); \
		change; \
		ok(mf_frame_encode(MF_FRAME_PICTURE, 1, &picture, bytes) == 0, \
		   "%s", text); \
	} while (0)

static void
test_pictures(void)
{
	static uint8_t bytes[MF_FRAME_MAX];
	static MfFrame frame;
	MfPicture	picture;
	const char *why;
	size_t		length;
	int			good = 0;

	for (uint32_t size = 0; size <= 1024; size++)
	{
		picture = sample_picture(size);
		good += mf_frame_encode(MF_FRAME_PICTURE, 1, &picture, bytes) > 0;
	}
	ok(good == MF_PICTURE_COUNT, "pictures of %d sizes are sent", good);
	NO_PICTURE(picture.size = 512, "a picture of another width and height");
	NO_PICTURE(picture.png[19] = 1, "of another width");
	NO_PICTURE(picture.png[22] = 2, "of another height");
	NO_PICTURE(picture.png[0] = 0, "without its signature");
	NO_PICTURE(picture.png[15] = 'r', "without its header");
	NO_PICTURE(picture.bytes--, "that does not end");
	NO_PICTURE(picture.bytes = 44, "that is too short");
	NO_PICTURE(picture.bytes = 0, "of no bytes");
	NO_PICTURE(picture.bytes = MF_PICTURE_MAX_BYTES + 1, "that is too long");
	NO_PICTURE(picture.bytes = UINT32_MAX, "that is far too long");

	picture = sample_picture(512);
	memmove(picture.png + MF_PICTURE_MAX_BYTES - 12, picture.png + 48, 12);
	picture.bytes = MF_PICTURE_MAX_BYTES;
	length = mf_frame_encode(MF_FRAME_PICTURE, 7, &picture, bytes);
	ok(length > MF_PICTURE_MAX_BYTES && length <= MF_FRAME_MAX &&
	   mf_frame_decode(bytes, length, &frame, &why) &&
	   frame.u.picture.bytes == MF_PICTURE_MAX_BYTES &&
	   memcmp(frame.u.picture.png, picture.png, picture.bytes) == 0,
	   "the longest arrives, in a frame of %zu bytes", length);
}

static void
test_canonical(void)
{
	uint8_t		bytes[MF_FRAME_MAX];
	MfMeasurement m = sample_cube();
	MfFrame		frame;
	const char *why;
	uint64_t	secret = UINT64_C(0xfff8123456789abc);
	uint64_t	bits;
	size_t		length;

	memcpy(&m.overlap_volume_mm3, &secret, sizeof(secret));
	length = mf_frame_encode(MF_FRAME_RESULT, 1, &m, bytes);
	ok(length > 0 && mf_frame_decode(bytes, length, &frame, &why) &&
	   isnan(frame.u.result.overlap_volume_mm3) &&
	   (memcpy(&bits, &frame.u.result.overlap_volume_mm3, sizeof(bits)), bits) != secret,
	   "an unknown number carries no other bits across");
	ok(memcmp(bytes, "MFfr\3\0\0\0\4\0\0\0", 12) == 0 &&
	   memcmp(bytes + 16, "\1\0\0\0\0\0\0\0", 8) == 0,
	   "the header is little-endian, whatever the machine");
}

static void
test_job_name(void)
{
	MfJobOrder	job;
	char		name[200];

	mf_job_set_name(&job, "ring.stl");
	ok(strcmp(job.name, "ring.stl") == 0, "a short name is kept");
	mf_job_set_name(&job, "\xc3\xa9\n.3mf");
	ok(strcmp(job.name, "???.3mf") == 0, "a name becomes ASCII");
	mf_job_set_name(&job, NULL);
	ok(job.name[0] == '\0', "no name is no name");
	memset(name, 'a', sizeof(name));
	strcpy(name + sizeof(name) - 5, ".obj");
	mf_job_set_name(&job, name);
	ok(strlen(job.name) == sizeof(job.name) - 1 &&
	   strcmp(job.name + strlen(job.name) - 5, "a.obj") == 0,
	   "of a long name the end is kept");
}

int
main(void)
{
	test_samples();
	test_random();
	test_results();
	test_others();
	test_pictures();
	test_canonical();
	test_job_name();
	return done_testing();
}
