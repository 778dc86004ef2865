/*
 * geometry_serve.c
 *		mesflow-geometry --serve: measures one model for the pricing worker.
 *
 * States, each left for the next and never for an earlier one:
 *
 *		settled		tied to the parent, privileges given up; says HELLO
 *		waiting		blocks for its one JOB; end of file: nobody needs us
 *		confined	model mapped, limits set, filter on; no way back
 *		measuring	PROGRESS at each new percent, PICTURE in the end
 *		answered	RESULT or REFUSED sent; exits
 *
 * A program serves one job, so nothing of one customer's model can leak into
 * the next one's measurement, and whatever a model breaks is gone with it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "geometry_program.h"

#include "../frame/frame.h"
#include "../geometry/geometry.h"
#include "sandbox.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So much stack is there before memory is limited. */
#define STACK_RESERVE	(512 * 1024)

/* So much nicer than whoever started us: backends go first. */
#define MORE_NICE		10

/* Exit statuses; a status but 0 means a parent that does not make sense. */
#define EXIT_DONE		0
#define EXIT_CONFUSED	2

typedef struct ProgressState
{
	uint64_t	tag;
	MfProgress	last;			/* as sent */
	bool		sent;
} ProgressState;

/*
 * Tells the parent how far we are, once per percent and stage.  A parent that
 * is gone needs no measurement: end here.
 */
static void
report_progress(void *arg, MfStage stage, int percent)
{
	ProgressState *state = arg;
	MfProgress	now;

	now.stage = stage;
	now.percent = percent < 0 ? 0 : percent > 100 ? 100 : (uint32_t) percent;
	if (state->sent && now.stage == state->last.stage &&
		now.percent == state->last.percent)
		return;
	state->last = now;
	state->sent = true;
	if (!mf_frame_send_progress(MF_PROGRAM_FD, state->tag, &now) &&
		errno != EAGAIN && errno != EINVAL)
		_exit(EXIT_DONE);
}

/*
 * Sends a picture.  One that the parent would not accept is a defect of ours,
 * and aborts like an answer that it would not accept.
 */
static void
send_picture(void *arg, uint32_t size, const uint8_t *png, size_t bytes)
{
	const ProgressState *state = arg;

	if (mf_frame_send_picture(MF_PROGRAM_FD, state->tag, size, png, bytes))
		return;
	if (errno == EINVAL)
		abort();
	_exit(EXIT_DONE);
}

static bool
say_hello(void)
{
	MfHello		hello;

	memset(&hello, 0, sizeof(hello));
	hello.protocol = MF_FRAME_PROTOCOL;
	hello.engine_version = MF_ENGINE_VERSION;
	hello.sandbox = mf_sandbox_available();
	strncpy(hello.version, MF_VERSION, sizeof(hello.version) - 1);
	return mf_frame_send_hello(MF_PROGRAM_FD, &hello);
}

static int
compare_bytes(const void *a, const void *b)
{
	return *(const unsigned char *) a - *(const unsigned char *) b;
}

/*
 * Does now what the C library would otherwise do later, when it is no longer
 * allowed or there is no memory left for it: grows the stack, and sorts
 * something, for the first large qsort() asks how much memory there is.  One
 * arena for malloc: each further one reserves 64 MB of addresses, which
 * count, and wants to know the number of processors.
 */
static void
warm_up(void)
{
	volatile unsigned char stack[STACK_RESERVE];
	unsigned char sorted[2048];

	for (size_t i = 0; i < sizeof(stack); i += 1024)
		stack[i] = (unsigned char) i;
	for (size_t i = 0; i < sizeof(sorted); i++)
		sorted[i] = (unsigned char) (i * 37 + stack[0]);
	qsort(sorted, sizeof(sorted), 1, compare_bytes);
	mallopt(M_ARENA_MAX, 1);
}

/*
 * Maps the model and shuts every door.  NULL: *refusal says why not.
 *
 * The order matters: the memory limit counts from what is mapped, so the
 * model comes first and is not counted; and no thread can be started behind
 * the filter.
 */
static const uint8_t *
confine(const MfJobOrder *job, int memfd, MfPool **pool, MfRefusal *refusal)
{
	const uint8_t *bytes = mf_memfd_map(memfd, job->size);
	int			error = errno;

	close(memfd);
	if (bytes == NULL)
	{
		if (error == ENOMEM)
			mf_refuse(refusal, MF_ERROR_OUT_OF_MEMORY,
					  "There is not enough memory to read the model.");
		else
			mf_refuse(refusal, MF_ERROR_CRASHED,
					  "The model did not arrive in one piece.");
		return NULL;
	}
	warm_up();
	*pool = mf_pool_start((int) job->threads);
	if (!mf_sandbox_limit(job->memory_limit, job->cpu_seconds))
	{
		mf_refuse(refusal, MF_ERROR_SANDBOX,
				  "The limits of memory and time could not be set.");
		return NULL;
	}
	if (job->require_sandbox && !mf_sandbox_enter())
	{
		mf_refuse(refusal, MF_ERROR_SANDBOX,
				  "There is no sandbox on this machine, and models are not read without one.");
		return NULL;
	}
	return bytes;
}

/* Does the one job.  True where the parent has its answer. */
static bool
serve_job(const MfFrame *order)
{
	const MfJobOrder *job = &order->u.job;
	ProgressState state;
	MfGeometryOptions options;
	MfMeasurement m;
	MfRefusal	refusal;
	MfPool	   *pool = NULL;
	const uint8_t *bytes;

	memset(&state, 0, sizeof(state));
	memset(&options, 0, sizeof(options));
	memset(&m, 0, sizeof(m));
	memset(&refusal, 0, sizeof(refusal));

	state.tag = order->tag;
	bytes = confine(job, order->memfd, &pool, &refusal);
	if (bytes == NULL)
		return mf_frame_send_refused(MF_PROGRAM_FD, order->tag, &refusal);

	options.name = job->name[0] != '\0' ? job->name : NULL;
	options.unit = job->unit;
	options.max_triangles = job->max_triangles;
	options.memory_limit = job->memory_limit;
	options.pool = pool;
	options.progress = report_progress;
	options.progress_arg = &state;
	options.picture = send_picture;
	options.picture_arg = &state;
	if (!mf_geometry_measure(bytes, (size_t) job->size, &options, &m,
							 &refusal))
		return mf_frame_send_refused(MF_PROGRAM_FD, order->tag, &refusal);
	return mf_frame_send_result(MF_PROGRAM_FD, order->tag, &m);
}

/*
 * Serves one job on MF_PROGRAM_FD and returns the status to exit with: 0 also
 * where the parent went away or never had a job for us, 2 where it sent
 * something else than a job.
 */
int
mf_geometry_serve(pid_t parent)
{
	MfFrame		order;

	if (!mf_program_settle(parent))
		return EXIT_DONE;

	/* A courtesy: nothing depends on it (and -1 may be the new value). */
	if (nice(MORE_NICE) == -1)
		errno = 0;
	if (!say_hello())
		return EXIT_DONE;
	switch (mf_frame_receive(MF_PROGRAM_FD, true, &order, NULL))
	{
		case MF_FRAME_GOT:
			break;
		case MF_FRAME_CLOSED:
			return EXIT_DONE;
		default:
			return EXIT_CONFUSED;
	}
	if (order.type != MF_FRAME_JOB)
		return EXIT_CONFUSED;

	/*
	 * An answer that frame.c would not send is a defect of ours; abort, so
	 * that it does not look like a parent that went away.
	 */
	if (!serve_job(&order) && errno == EINVAL)
		abort();
	return EXIT_DONE;
}
