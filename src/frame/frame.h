/*
 * frame.h
 *		Talking to a program of ours: frames, spawning, limits, reaping.
 *
 * A parent (a background worker, or mesflow-node) starts a program with one
 * end of a SOCK_SEQPACKET socket pair as descriptor 3 and nothing else open
 * but /dev/null.  Each message is one frame: a fixed header and a payload of
 * little-endian fields.  Neither side believes the other: every field is
 * checked on receipt, and anything odd is MF_FRAME_BAD, on which the parent
 * kills the program.
 *
 * The life of mesflow-geometry:
 *
 *		child  -> HELLO				ready, says its versions
 *		parent -> JOB + memfd		one model, one set of limits
 *		child  -> PROGRESS ...		stage and percent, now and then
 *		child  -> PICTURE ...		one of each size, or none
 *		child  -> RESULT | REFUSED	then it exits with status 0
 *
 * Pure C: no PostgreSQL headers here.  Nothing in this file waits, but for
 * mf_frame_receive when told to.
 */
#ifndef MF_FRAME_H
#define MF_FRAME_H

#include <sys/types.h>

#include "measurement.h"

#define MF_FRAME_PROTOCOL	3

/* The descriptor a program finds its socket on. */
#define MF_PROGRAM_FD		3

/* Longest frame, header included; both sides refuse longer ones. */
#define MF_FRAME_MAX		65536

typedef enum MfFrameType
{
	MF_FRAME_HELLO = 1,
	MF_FRAME_JOB,
	MF_FRAME_PROGRESS,
	MF_FRAME_RESULT,
	MF_FRAME_REFUSED,
	MF_FRAME_PICTURE
} MfFrameType;
#define MF_FRAME_TYPE_LAST	MF_FRAME_PICTURE

typedef struct MfHello
{
	uint32_t	protocol;
	uint32_t	engine_version;
	bool		sandbox;		/* can this kernel confine it? */
	char		version[32];	/* of the program, e.g. "0.1" */
} MfHello;

typedef struct MfJobOrder
{
	uint64_t	size;			/* bytes in the memfd */
	uint64_t	memory_limit;	/* bytes, the memfd not counted; not 0 */
	uint64_t	max_triangles;	/* 0: the engine's default */
	uint32_t	cpu_seconds;	/* RLIMIT_CPU, all threads together; not 0 */
	uint32_t	threads;		/* 1 or more */
	MfUnit		unit;			/* the caller's, or MF_UNIT_NONE */
	bool		require_sandbox;
	char		name[64];		/* the file's name, a hint for its format */
} MfJobOrder;

typedef struct MfProgress
{
	MfStage		stage;
	uint32_t	percent;		/* 0 to 100 */
} MfProgress;

/*
 * A picture of the model.  What is known of the bytes is that they begin and
 * end as a PNG of this width and height does.
 */
typedef struct MfPicture
{
	uint32_t	size;			/* one of mf_picture_sizes */
	uint32_t	bytes;
	uint8_t		png[MF_PICTURE_MAX_BYTES];
} MfPicture;

/*
 * One frame received, decoded and checked.  All of it is zeroed but the bytes
 * of a picture that are beyond its length.
 */
typedef struct MfFrame
{
	MfFrameType type;
	uint64_t	tag;			/* echoes the tag of the job; 0 in HELLO */
	int			memfd;			/* with JOB: owned by the caller; else -1 */
	union
	{
		MfHello		hello;
		MfJobOrder	job;
		MfProgress	progress;
		MfMeasurement result;
		MfRefusal	refused;
		MfPicture	picture;
	}			u;
} MfFrame;

typedef enum MfFrameStatus
{
	MF_FRAME_GOT,
	MF_FRAME_NOTHING,			/* would block */
	MF_FRAME_CLOSED,			/* the other side is gone */
	MF_FRAME_BAD				/* not a frame of ours: kill the program */
} MfFrameStatus;

/*
 * Receives one frame.  With `wait` false never blocks; with `wait` true it
 * blocks on a blocking socket, such as a program's own end.  On MF_FRAME_BAD
 * `why`, where not NULL, points to a constant string saying what was wrong.
 * Descriptors that arrive with anything but a JOB are closed; a JOB comes with
 * exactly one.
 *
 * MF_FRAME_CLOSED does not prove that the program has exited: one that means
 * ill closes its end, or sends an empty packet, and lives on.  The parent
 * kills it in either case.
 */
extern MfFrameStatus mf_frame_receive(int fd, bool wait, MfFrame *frame,
									  const char **why);

/*
 * Sends one frame; true where it went out whole.  Never raises SIGPIPE.  The
 * descriptor `memfd` is passed along with a JOB and stays the caller's.  On
 * failure errno is EINVAL where the other side would not accept the frame (a
 * field out of its bounds), EAGAIN where there was no room (progress never
 * waits for it), else what sendmsg said.
 */
extern bool mf_frame_send_hello(int fd, const MfHello *hello);
extern bool mf_frame_send_job(int fd, uint64_t tag, const MfJobOrder *job,
							  int memfd);
extern bool mf_frame_send_progress(int fd, uint64_t tag,
								   const MfProgress *progress);
extern bool mf_frame_send_picture(int fd, uint64_t tag, uint32_t size,
								  const uint8_t *png, size_t bytes);
extern bool mf_frame_send_result(int fd, uint64_t tag,
								 const MfMeasurement *result);
extern bool mf_frame_send_refused(int fd, uint64_t tag,
								  const MfRefusal *refused);

/*
 * Fills job->name with the end of a file's name, where the extension is; what
 * is not printable ASCII becomes question marks.  NULL: no name.
 */
extern void mf_job_set_name(MfJobOrder *job, const char *name);

/*
 * The parent's side of a running program.
 */
typedef struct MfProgram
{
	pid_t		pid;			/* 0: none */
	int			fd;				/* our end, non-blocking, close-on-exec; -1:
								 * none */
} MfProgram;

/* How a program ended. */
typedef struct MfProgramEnd
{
	int			exit_status;	/* valid where signal is 0 */
	int			signal;			/* 0: it exited */
	double		cpu_ms;
	int64_t		max_rss_kb;
} MfProgramEnd;

/*
 * Starts the program at `path` (absolute): empty environment, working
 * directory /, default signal dispositions and an empty signal mask,
 * descriptors 0 to 2 on /dev/null, the socket on MF_PROGRAM_FD, all others
 * closed.  argv is {basename, "--serve", our pid in decimal}.  Does not copy
 * the caller's page tables (posix_spawn).  True on success; on failure
 * `error` gets a sentence and *program is empty.
 */
extern bool mf_program_spawn(const char *path, MfProgram *program,
							 char *error, size_t error_size);

/* SIGKILLs it and closes our end; reap later.  Harmless on an empty one. */
extern void mf_program_kill(MfProgram *program);

/*
 * Reaps without waiting: true when the program is gone (then `end` is
 * filled and *program empty, our end closed), false while it still runs.
 * What the program sent last is gone with our end, so receive up to
 * MF_FRAME_CLOSED first.  An empty *program counts as gone; where somebody
 * else has reaped it, exit_status is -1.
 */
extern bool mf_program_reap(MfProgram *program, MfProgramEnd *end);

/*
 * What such an end means for the job that ran, if it gave no answer: timeout
 * where the processor time was used up, crashed after any other signal and
 * after any status but 0.  MF_ERROR_NONE after status 0.
 */
extern MfErrorCode mf_program_end_to_error(const MfProgramEnd *end);

/*
 * The child's side, called first thing in main() with the parent's pid from
 * argv: parent-death signal (and the check that the parent still lives),
 * SIGINT, SIGTERM, SIGHUP and SIGPIPE ignored, not dumpable, no core, no new
 * privileges, oom_score_adj 1000, umask 077, nothing open beyond
 * MF_PROGRAM_FD.  False: the parent is gone, or the kernel would not let us.
 */
extern bool mf_program_settle(pid_t parent);

/*
 * A sealed memory file: made with its final size, filled piecewise, sealed
 * against every change.  -1 or false with errno set on failure; writing past
 * the end fails with EPERM.
 */
extern int	mf_memfd_create(const char *name, uint64_t size);
extern bool mf_memfd_write(int memfd, uint64_t at, const void *bytes,
						   size_t length);
extern bool mf_memfd_seal(int memfd);

/*
 * Maps a received memfd read-only, after checking that it is sealed against
 * writing, growing and shrinking and has exactly `size` bytes.  NULL
 * otherwise: errno is EINVAL where it is not such a file, ENOMEM where there
 * is no room for it.  For size 0 a pointer that must not be read.
 */
extern const uint8_t *mf_memfd_map(int memfd, uint64_t size);

#endif							/* MF_FRAME_H */
