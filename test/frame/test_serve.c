/*
 * test_serve.c
 *		A program serves one job: its answers, its deaths, and the real engine
 *		where MF_GEOMETRY_PROGRAM says where it is.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "frame/frame.h"
#include "programs/sandbox.h"
#include "samples.h"
#include "tap.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAG		UINT64_C(0x1122334455667788)

static char program_path[8192];
static bool sandbox;

/* What came of one program. */
typedef struct Outcome
{
	MfHello		hello;
	MfFrame		answer;			/* type 0: none */
	int			progress;		/* frames of it */
	MfProgress	last;
	uint32_t	pictures;		/* how many, and the bytes of all */
	uint32_t	picture_bytes;
	bool		orderly;		/* progress only grew, one answer, then end */
	MfProgramEnd end;
} Outcome;

/* Receives one frame, waiting at most a minute for it. */
static MfFrameStatus
receive(const MfProgram *program, MfFrame *frame)
{
	const char *why = "";

	for (int i = 0; i < 60000; i++)
	{
		MfFrameStatus status = mf_frame_receive(program->fd, false, frame,
												&why);

		if (status == MF_FRAME_BAD)
			printf("# bad frame: %s\n", why);
		if (status != MF_FRAME_NOTHING)
			return status;
		pause_briefly();
	}
	return MF_FRAME_NOTHING;
}

static bool
start(MfProgram *program, MfHello *hello)
{
	char		error[400];
	MfFrame		frame;

	if (!mf_program_spawn(program_path, program, error, sizeof(error)))
	{
		printf("# %s\n", error);
		return false;
	}
	if (receive(program, &frame) != MF_FRAME_GOT ||
		frame.type != MF_FRAME_HELLO)
		return false;
	*hello = frame.u.hello;
	return true;
}

/* Waits for the end, whatever it is. */
static void
finish(MfProgram *program, Outcome *outcome)
{
	outcome->orderly = true;
	for (;;)
	{
		MfFrame		frame;

		if (receive(program, &frame) != MF_FRAME_GOT)
			break;
		if (frame.tag != TAG || outcome->answer.type != 0)
			outcome->orderly = false;
		if (frame.type == MF_FRAME_PICTURE)
		{
			if (outcome->pictures >= MF_PICTURE_COUNT ||
				frame.u.picture.size != mf_picture_sizes[outcome->pictures])
				outcome->orderly = false;
			outcome->pictures++;
			outcome->picture_bytes += frame.u.picture.bytes;
			continue;
		}
		if (frame.type != MF_FRAME_PROGRESS)
		{
			outcome->answer = frame;
			continue;
		}
		if (outcome->progress > 0 &&
			frame.u.progress.stage == outcome->last.stage &&
			frame.u.progress.percent == outcome->last.percent)
			outcome->orderly = false;
		outcome->progress++;
		outcome->last = frame.u.progress;
	}
	for (int i = 0; i < 60000; i++)
	{
		if (mf_program_reap(program, &outcome->end))
			return;
		pause_briefly();
	}
	mf_program_kill(program);
}

static MfJobOrder
job_of(uint64_t size)
{
	MfJobOrder	job;

	memset(&job, 0, sizeof(job));
	job.size = size;
	job.memory_limit = 256 * 1024 * 1024;
	job.cpu_seconds = 20;
	job.threads = 2;
	job.require_sandbox = sandbox;
	return job;
}

static int
file_of(const void *bytes, size_t size)
{
	int			memfd = mf_memfd_create("model", size);

	if (memfd < 0 || !mf_memfd_write(memfd, 0, bytes, size) ||
		!mf_memfd_seal(memfd))
		abort();
	return memfd;
}

/* One whole life: start, job, answer, end. */
static Outcome
serve(const MfJobOrder *job, int memfd)
{
	Outcome		outcome;
	MfProgram	program;

	memset(&outcome, 0, sizeof(outcome));
	if (start(&program, &outcome.hello) &&
		mf_frame_send_job(program.fd, TAG, job, memfd))
		finish(&program, &outcome);
	close(memfd);
	return outcome;
}

/* The model is the command for the probe's engine. */
static Outcome
serve_text(const char *text)
{
	MfJobOrder	job = job_of(strlen(text));

	return serve(&job, file_of(text, strlen(text)));
}

static bool
refused_with(const Outcome *outcome, MfErrorCode code)
{
	return outcome->answer.type == MF_FRAME_REFUSED &&
		outcome->answer.u.refused.code == code && outcome->orderly &&
		outcome->end.signal == 0 && outcome->end.exit_status == 0;
}

static bool
measured(const Outcome *outcome)
{
	return outcome->answer.type == MF_FRAME_RESULT && outcome->orderly &&
		outcome->end.signal == 0 && outcome->end.exit_status == 0;
}

/* Died without an answer. */
static bool
died(const Outcome *outcome, int signal, MfErrorCode error)
{
	if (outcome->answer.type == 0 && outcome->end.signal == signal &&
		mf_program_end_to_error(&outcome->end) == error)
		return true;
	printf("# answer %d, status %d, signal %d\n", (int) outcome->answer.type,
		   outcome->end.exit_status, outcome->end.signal);
	return false;
}

static void
test_answers(void)
{
	MfJobOrder	job;
	Outcome		outcome;
	const MfMeasurement *m = &outcome.answer.u.result;
	MfMeasurement expected = sample_cube();

	outcome = serve_text("library");
	expected.min_wall_mm = 0.1;
	ok(measured(&outcome) && same_measurement(m, &expected),
	   "a measurement arrives as the engine made it");
	ok(outcome.hello.protocol == MF_FRAME_PROTOCOL &&
	   outcome.hello.engine_version == MF_ENGINE_VERSION &&
	   strcmp(outcome.hello.version, MF_VERSION) == 0 &&
	   outcome.hello.sandbox == sandbox, "the greeting says what it is");

	outcome = serve_text("a stone");
	ok(refused_with(&outcome, MF_ERROR_NOT_A_MODEL) &&
	   strcmp(outcome.answer.u.refused.text, "This is \"a stone\".") == 0,
	   "so does a refusal");
	outcome = serve_text("");
	ok(refused_with(&outcome, MF_ERROR_EMPTY), "an empty file is served");

	job = job_of(7);
	job.max_triangles = 1234567;
	job.memory_limit = 7654321;
	job.unit = MF_UNIT_INCH;
	mf_job_set_name(&job, "ring.stl");
	outcome = serve(&job, file_of("options", 7));
	ok(measured(&outcome) && m->triangles == 1234567 &&
	   m->vertices == 7654321 && m->unit == MF_UNIT_INCH && m->watertight,
	   "the engine gets the limits, the unit and the name");
	ok(m->euler_number == 2, "the engine has its threads in the sandbox");

	outcome = serve_text("pictures");
	ok(measured(&outcome) && outcome.pictures == MF_PICTURE_COUNT &&
	   outcome.picture_bytes == MF_PICTURE_COUNT * 60,
	   "pictures come before the measurement");

	outcome = serve_text("progress");
	ok(measured(&outcome) && outcome.progress == 102 &&
	   outcome.last.stage == MF_STAGE_DONE && outcome.last.percent == 100,
	   "progress comes once per percent and stage: %d", outcome.progress);
}

static void
test_deaths(void)
{
	Outcome		outcome;
	MfJobOrder	job;

	outcome = serve_text("abort");
	ok(died(&outcome, SIGABRT, MF_ERROR_CRASHED), "an engine that aborts");
	outcome = serve_text("segv");
	ok(died(&outcome, SIGSEGV, MF_ERROR_CRASHED),
	   "an engine that writes on the model");
	outcome = serve_text("stack");
	ok(died(&outcome, SIGSEGV, MF_ERROR_CRASHED),
	   "an engine that runs out of stack");
	outcome = serve_text("lie");
	ok(died(&outcome, SIGABRT, MF_ERROR_CRASHED),
	   "an engine whose answer is impossible");
	outcome = serve_text("scribble");
	ok(died(&outcome, SIGABRT, MF_ERROR_CRASHED),
	   "an engine whose picture is none");
	outcome = serve_text("exit");
	ok(outcome.answer.type == 0 && outcome.end.signal == 0 &&
	   outcome.end.exit_status == 0, "an engine that just leaves");
	if (sandbox)
	{
		outcome = serve_text("open");
		ok(died(&outcome, SIGSYS, MF_ERROR_CRASHED),
		   "an engine that opens a file");
	}
	else
		skip(1, "no sandbox here");

	job = job_of(4);
	job.cpu_seconds = 1;
	outcome = serve(&job, file_of("spin", 4));
	ok(died(&outcome, SIGXCPU, MF_ERROR_TIMEOUT),
	   "an engine that takes too long");

	job = job_of(6);
	job.memory_limit = 64 * 1024 * 1024;
	outcome = serve(&job, file_of("memory", 6));
	ok(refused_with(&outcome, MF_ERROR_OUT_OF_MEMORY) &&
	   atoi(outcome.answer.u.refused.text + 6) >= 48 &&
	   atoi(outcome.answer.u.refused.text + 6) <= 64,
	   "an engine that wants too much memory has time to say so: %s",
	   outcome.answer.u.refused.text);
}

/* The model itself does not count as memory. */
static void
test_large_model(void)
{
	const size_t size = 96 * 1024 * 1024;
	char	   *bytes = calloc(1, size);
	MfJobOrder	job = job_of(size);
	Outcome		outcome;

	job.memory_limit = 8 * 1024 * 1024;
	memcpy(bytes, "memory", 7);
	outcome = serve(&job, file_of(bytes, size));
	ok(refused_with(&outcome, MF_ERROR_OUT_OF_MEMORY) &&
	   atoi(outcome.answer.u.refused.text + 6) >= 4 &&
	   atoi(outcome.answer.u.refused.text + 6) <= 8,
	   "a model of 96 MB leaves 8 MB to work in: %s",
	   outcome.answer.u.refused.text);
	free(bytes);
}

static void
test_wrong_jobs(void)
{
	MfJobOrder	job = job_of(7);
	Outcome		outcome;
	int			memfd;

	memfd = mf_memfd_create("model", 7);
	mf_memfd_write(memfd, 0, "library", 7);
	outcome = serve(&job, memfd);
	ok(refused_with(&outcome, MF_ERROR_CRASHED),
	   "a file without seals is not read");
	job.size = 8;
	outcome = serve(&job, file_of("library", 7));
	ok(refused_with(&outcome, MF_ERROR_CRASHED), "nor one that is shorter");
	job.size = 6;
	outcome = serve(&job, file_of("library", 7));
	ok(refused_with(&outcome, MF_ERROR_CRASHED), "nor one that is longer");
	job.size = 0;
	memfd = dup(0);
	outcome = serve(&job, memfd);
	ok(refused_with(&outcome, MF_ERROR_CRASHED), "nor what is no file");
}

/* Something else than a job: `length` bytes, sent after the greeting. */
static void
send_instead(const char *text, const void *bytes, size_t length)
{
	Outcome		outcome;
	MfProgram	program;

	memset(&outcome, 0, sizeof(outcome));
	if (!start(&program, &outcome.hello) ||
		send(program.fd, bytes, length, MSG_NOSIGNAL) != (ssize_t) length)
		abort();
	finish(&program, &outcome);
	ok(outcome.answer.type == 0 && outcome.end.signal == 0 &&
	   outcome.end.exit_status == 2, "%s makes it exit with status 2", text);
}

static void
test_strange_parents(void)
{
	static const char zeros[8000];
	MfProgress	progress = {MF_STAGE_READING, 1};
	MfJobOrder	job = job_of(8);
	MfProgram	program;
	MfFrame		frame;
	Outcome		outcome;
	int			memfd;

	send_instead("garbage", "garbage", 7);
	send_instead("a long packet of zeros", zeros, sizeof(zeros));

	memset(&outcome, 0, sizeof(outcome));
	start(&program, &outcome.hello);
	mf_frame_send_progress(program.fd, 1, &progress);
	finish(&program, &outcome);
	ok(outcome.end.exit_status == 2 && outcome.end.signal == 0,
	   "a frame that is no job makes it exit with status 2");

	memset(&outcome, 0, sizeof(outcome));
	start(&program, &outcome.hello);
	shutdown(program.fd, SHUT_WR);
	finish(&program, &outcome);
	ok(outcome.answer.type == 0 && outcome.end.signal == 0 &&
	   outcome.end.exit_status == 0, "no job at all: it exits");

	/* The second job stays unread, and the answer to the first arrives. */
	memset(&outcome, 0, sizeof(outcome));
	start(&program, &outcome.hello);
	memfd = file_of("progress", 8);
	ok(mf_frame_send_job(program.fd, TAG, &job, memfd) &&
	   mf_frame_send_job(program.fd, TAG + 1, &job, memfd),
	   "two jobs are sent");
	close(memfd);
	finish(&program, &outcome);
	ok(measured(&outcome) && outcome.progress == 102, "one is done");

	/* A parent that hangs up while the work goes on. */
	memset(&outcome, 0, sizeof(outcome));
	start(&program, &outcome.hello);
	job = job_of(4);
	memfd = file_of("talk", 4);
	mf_frame_send_job(program.fd, TAG, &job, memfd);
	close(memfd);
	if (receive(&program, &frame) != MF_FRAME_GOT)
		abort();
	close(program.fd);
	program.fd = -1;
	finish(&program, &outcome);
	ok(outcome.end.signal == 0 && outcome.end.exit_status == 0,
	   "nobody listens: it exits in the middle of its work");

	/* Killed in the middle of it. */
	memset(&outcome, 0, sizeof(outcome));
	start(&program, &outcome.hello);
	memfd = file_of("spin", 4);
	mf_frame_send_job(program.fd, TAG, &job, memfd);
	close(memfd);
	mf_program_kill(&program);
	finish(&program, &outcome);
	ok(died(&outcome, SIGKILL, MF_ERROR_CRASHED), "killed, it is gone");
}

/*
 * The real engine, on files made here: binary STL, 50 bytes a triangle after
 * 84 bytes.
 */
typedef struct Stl
{
	uint8_t    *bytes;
	size_t		size;
	size_t		room;
	uint32_t	triangles;
} Stl;

static void
put_u32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t) (value >> (8 * i));
}

static void
add_triangle(Stl *stl, const float corners[3][3])
{
	uint8_t    *at;

	stl->size = 84 + 50 * ((size_t) stl->triangles + 1);
	if (stl->size > stl->room)
	{
		stl->room = 2 * stl->size;
		stl->bytes = realloc(stl->bytes, stl->room);
	}
	at = stl->bytes + 84 + 50 * (size_t) stl->triangles;
	memset(at, 0, 50);
	for (int i = 0; i < 9; i++)
	{
		uint32_t	bits;

		memcpy(&bits, &corners[i / 3][i % 3], 4);
		put_u32(at + 12 + 4 * i, bits);
	}
	put_u32(stl->bytes + 80, ++stl->triangles);
}

/* A cube at (x, y, z), wound outward. */
static void
add_cube(Stl *stl, float x, float y, float z, float side)
{
	static const unsigned char faces[6][4] = {
		{0, 2, 3, 1}, {4, 5, 7, 6}, {0, 1, 5, 4},
		{2, 6, 7, 3}, {0, 4, 6, 2}, {1, 3, 7, 5}
	};

	for (int triangle = 0; triangle < 12; triangle++)
	{
		const unsigned char *face = faces[triangle / 2];
		float		corners[3][3];

		for (int i = 0; i < 3; i++)
		{
			int			corner = face[i == 0 ? 0 : i + triangle % 2];

			corners[i][0] = x + ((corner & 1) != 0 ? side : 0);
			corners[i][1] = y + ((corner & 2) != 0 ? side : 0);
			corners[i][2] = z + ((corner & 4) != 0 ? side : 0);
		}
		add_triangle(stl, (const float (*)[3]) corners);
	}
}

static Outcome
serve_stl(const Stl *stl, MfJobOrder *job)
{
	job->size = stl->size;
	return serve(job, file_of(stl->bytes, stl->size));
}

/*
 * Surfaces that enclose nothing, several things in one place, and numbers at
 * both ends of what a float can hold: whatever the engine makes of them has
 * to pass the checks of the receiver.
 */
static void
test_odd_models(void)
{
	static const float scales[] = {1, 1e-44f, 1e-20f, 1e-6f, 1e6f, 1e20f,
	3e38f};
	unsigned long state = 99;
	Stl			stl = {NULL, 0, 0, 0};
	MfJobOrder	job = job_of(0);
	int			answered = 0;
	int			tried = 0;

	stl.bytes = calloc(1, 84);
	for (size_t scale = 0; scale < 7; scale++)
		for (int kind = 0; kind < 6; kind++)
		{
			Outcome		outcome;

			stl.triangles = 0;
			if (kind < 3)
			{
				/* A cube, or several around it, one triangle missing. */
				for (int i = 0; i <= kind; i++)
					add_cube(&stl, (float) -i * scales[scale] / 64,
							 (float) -i * scales[scale] / 64,
							 (float) -i * scales[scale] / 64,
							 (float) (1 + 2 * i) * scales[scale] / 32);
				if (scale % 2 == 0)
					stl.triangles--;
			}
			else
				for (int i = 0; i < 40; i++)
				{
					float		corners[3][3];

					for (int j = 0; j < 9; j++)
						corners[j / 3][j % 3] = scales[scale] *
							(kind == 4 && j % 3 == 2 ? 1 :
							 (float) (next_random(&state) % 9) / 8 - 0.5f);
					add_triangle(&stl, (const float (*)[3]) corners);
				}
			put_u32(stl.bytes + 80, stl.triangles);
			stl.size = 84 + 50 * (size_t) stl.triangles;
			outcome = serve_stl(&stl, &job);
			tried++;
			if (outcome.answer.type != 0 && outcome.end.signal == 0)
				answered++;
			else
				printf("# scale %g, kind %d: signal %d\n", scales[scale],
					   kind, outcome.end.signal);
		}
	ok(answered == 42 && tried == 42, "42 odd models are all answered");
	free(stl.bytes);
}

#define REAL_TESTS	10

static void
test_real(void)
{
	Stl			stl = {NULL, 0, 0, 0};
	MfJobOrder	job = job_of(0);
	Outcome		outcome;
	Outcome		again;
	const MfMeasurement *m = &outcome.answer.u.result;

	stl.bytes = calloc(1, 84);
	add_cube(&stl, 1, 2, 3, 10);
	outcome = serve_stl(&stl, &job);
	ok(measured(&outcome) && m->format == MF_FORMAT_STL &&
	   m->unit == MF_UNIT_MM && m->unit_from == MF_UNIT_FROM_DEFAULT &&
	   m->triangles == 12 && m->vertices == 8 && m->bodies == 1 &&
	   m->cavities == 0 && m->euler_number == 2 && m->watertight &&
	   m->consistent_winding && m->defect_count == 0,
	   "a cube is one closed body of 12 triangles");
	ok(fabs(m->volume_mm3 - 1000) < 1e-9 && fabs(m->area_mm2 - 600) < 1e-9 &&
	   m->bbox_min[0] == 1 && m->bbox_min[1] == 2 && m->bbox_min[2] == 3 &&
	   m->bbox_max[0] == 11 && m->bbox_max[1] == 12 && m->bbox_max[2] == 13,
	   "of 1000 mm3 and 600 mm2, where it was put");
	ok(outcome.progress > 0, "progress was reported");
	ok(outcome.pictures == MF_PICTURE_COUNT && outcome.picture_bytes < 20000,
	   "%u pictures came, of %u bytes in all", outcome.pictures,
	   outcome.picture_bytes);
	job.unit = MF_UNIT_INCH;
	outcome = serve_stl(&stl, &job);
	ok(measured(&outcome) && m->unit == MF_UNIT_INCH &&
	   m->unit_from == MF_UNIT_FROM_CALLER &&
	   fabs(m->volume_mm3 - 16387064) < 1e-5, "or of 1000 cubic inches");
	job.unit = MF_UNIT_NONE;

	job.max_triangles = 11;
	outcome = serve_stl(&stl, &job);
	ok(refused_with(&outcome, MF_ERROR_TOO_MANY_TRIANGLES),
	   "or more than somebody wants");
	job.max_triangles = 0;

	stl.size -= 1;
	outcome = serve_stl(&stl, &job);
	ok(refused_with(&outcome, MF_ERROR_TRUNCATED), "or cut short");

	/* Enough cubes to need memory. */
	stl.triangles = 0;
	for (int i = 0; i < 10000; i++)
		add_cube(&stl, 2.0f * (float) (i % 100), 2.0f * (float) (i / 100), 0,
				 1);
	outcome = serve_stl(&stl, &job);
	again = serve_stl(&stl, &job);
	again.answer.u.result.measured_in_ms = m->measured_in_ms;
	ok(measured(&outcome) && m->triangles == 120000 && m->bodies == 10000 &&
	   m->volume_mm3 == 10000 && measured(&again) &&
	   same_measurement(m, &again.answer.u.result),
	   "10000 cubes are 10000 bodies, and measure the same twice");
	job.memory_limit = 1024 * 1024;
	outcome = serve_stl(&stl, &job);
	ok(refused_with(&outcome, MF_ERROR_OUT_OF_MEMORY),
	   "but do not fit into a megabyte");
	free(stl.bytes);
}

int
main(int argc, char **argv)
{
	const char *real = getenv("MF_GEOMETRY_PROGRAM");
	MfProgram	program;
	Outcome		outcome;
	int			before = count_descriptors();

	(void) argc;
	snprintf(program_path, sizeof(program_path), "%s",
			 beside(argv[0], "probe_serve"));

	/* Built with the address sanitizer, we cannot say for ourselves. */
	memset(&outcome, 0, sizeof(outcome));
	if (!ok(start(&program, &outcome.hello), "a program starts and greets"))
		return done_testing();
	sandbox = outcome.hello.sandbox;
	mf_program_kill(&program);
	finish(&program, &outcome);

	test_answers();
	test_deaths();
	test_large_model();
	test_wrong_jobs();
	test_strange_parents();
	if (real != NULL && real[0] != '\0')
	{
		snprintf(program_path, sizeof(program_path), "%s", real);
		test_real();
		test_odd_models();
	}
	else
		skip(REAL_TESTS, "MF_GEOMETRY_PROGRAM is not set");
	ok(count_descriptors() == before &&
	   waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD,
	   "no descriptor and no process is left over");
	return done_testing();
}
