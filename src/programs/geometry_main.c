/*
 * geometry_main.c
 *		mesflow-geometry: measures one 3D model, for a person or as JSON.
 *
 * Exit status: 0 measured, 1 refused, 2 used wrongly or not readable.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../geometry/geometry.h"
#include "command.h"
#include "geometry_program.h"

#define EXIT_REFUSED	1

/* A pipe has no size: so much is asked for at first. */
#define FIRST_READ	((size_t) 1024 * 1024)

/* The bytes of a file, mapped or read. */
typedef struct Content
{
	uint8_t    *bytes;
	size_t		size;
	size_t		room;			/* of a buffer; 0: mapped */
} Content;

typedef struct Arguments
{
	const char *file;
	bool		json;
	uint64_t	threads;		/* 0: as many as there are processors */
	MfGeometryOptions options;
} Arguments;

static const char help[] =
"mesflow-geometry measures a 3D model: size, volume, area, bodies, defects.\n"
"\n"
"Usage:\n"
"  mesflow-geometry [OPTION]... FILE\n"
"\n"
"FILE is a model in STL, binary or ASCII, in OBJ or in 3MF; - reads standard\n"
"input.\n"
"\n"
"Options:\n"
"  --json               print one JSON object instead of a page\n"
"  --unit UNIT          the unit of the file: um, mm, cm, m, inch or ft\n"
"                       (default: what the file says, or mm)\n"
"  --basic              only size, volume, area, bodies and defects\n"
"  --threads N          work with so many threads\n"
"                       (default: one for each processor)\n"
"  --max-triangles N    refuse a model with more triangles\n"
"                       (default: 20000000)\n"
"  --max-memory MB      refuse a model that takes more memory to measure\n"
"                       (default: no limit)\n"
"  --help               print this page, then exit\n"
"  --version            print the version, then exit\n"
"\n"
"Exit status: 0 measured, 1 the model was refused, 2 something else failed.\n";

/* Maps a regular file; false: errno says why. */
static bool
map_file(int fd, size_t size, Content *content)
{
	void	   *mapped;

	content->size = size;
	if (size == 0)
		return true;
	mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (mapped == MAP_FAILED)
		return false;
	(void) madvise(mapped, size, MADV_SEQUENTIAL);
	content->bytes = mapped;
	return true;
}

/* Reads anything else to its end; false: errno says why. */
static bool
read_stream(int fd, Content *content)
{
	for (;;)
	{
		ssize_t		got;

		if (content->size == content->room)
		{
			const size_t had = content->room;
			const size_t room = had > 0 ? had * 2 : FIRST_READ;
			uint8_t    *grown = realloc(content->bytes, room);

			if (grown == NULL)
				return false;
			content->bytes = grown;
			content->room = room;
		}
		got = read(fd, content->bytes + content->size,
				   content->room - content->size);
		if (got == 0)
			return true;
		if (got < 0 && errno != EINTR)
			return false;
		if (got > 0)
			content->size += got;
	}
}

/* Gets the bytes of a file; false: errno says why. */
static bool
load_content(const char *file, Content *content)
{
	int			fd = STDIN_FILENO;
	struct stat status;
	bool		good;

	memset(content, 0, sizeof(*content));
	if (strcmp(file, "-") != 0)
		fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return false;
	if (fstat(fd, &status) != 0)
		return false;
	if (S_ISDIR(status.st_mode))
	{
		errno = EISDIR;
		return false;
	}
	good = S_ISREG(status.st_mode) && fd != STDIN_FILENO ?
		map_file(fd, status.st_size, content) : read_stream(fd, content);
	if (fd != STDIN_FILENO)
		close(fd);
	return good;
}

static void
free_content(Content *content)
{
	if (content->room > 0)
		free(content->bytes);
	else if (content->bytes != NULL)
		munmap(content->bytes, content->size);
}

/* Shows on a terminal how far the work is. */
static void
show_progress(void *arg, MfStage stage, int percent)
{
	int		   *shown = arg;

	if (percent == *shown)
		return;
	*shown = percent;
	fprintf(stderr, "\r%3d %% %-10s", percent, mf_stage_name(stage));
	if (stage == MF_STAGE_DONE)
		fprintf(stderr, "\r%16s\r", "");
	fflush(stderr);
}

/* Prints the refusal as JSON: quotes and backslashes are all to escape. */
static void
print_refusal_json(const MfRefusal *refusal)
{
	printf("{\"error_code\":\"%s\",\"error\":\"",
		   mf_error_code_name(refusal->code));
	for (const char *p = refusal->text; *p != '\0'; p++)
	{
		if (*p == '"' || *p == '\\')
			putchar('\\');
		putchar(*p);
	}
	printf("\"}\n");
}

/* What a person has to know at the end. */
static const char *
verdict(const MfMeasurement *m)
{
	MfSeverity	worst = MF_SEVERITY_INFO;

	for (int i = 0; i < m->defect_count; i++)
		if (m->defects[i].severity > worst)
			worst = m->defects[i].severity;
	if (isnan(m->volume_mm3))
		return "no price without a look by a person: the surface does not "
			"enclose a volume";
	if (worst == MF_SEVERITY_ERROR)
		return "no price without a look by a person";
	if (worst == MF_SEVERITY_WARNING)
		return "can be priced; please read the warnings";
	return "can be priced";
}

/* The measurement as a page for a person. */
static void
print_page(const char *file, const MfMeasurement *m)
{
	static const char *const severity_titles[] = {
		[MF_SEVERITY_INFO] = "Note",
		[MF_SEVERITY_WARNING] = "Warning",
		[MF_SEVERITY_ERROR] = "Error"
	};
	static const char *const unit_notes[] = {
		[MF_UNIT_FROM_DEFAULT] = "assumed: the file does not say",
		[MF_UNIT_FROM_FILE] = "as the file says",
		[MF_UNIT_FROM_CALLER] = "as you said"
	};

	printf("%s\n\n", file);
	printf("  Format      %s, unit %s (%s)\n", mf_format_name(m->format),
		   mf_unit_name(m->unit), unit_notes[m->unit_from]);
	printf("  Size        %.3f x %.3f x %.3f mm\n",
		   m->bbox_max[0] - m->bbox_min[0], m->bbox_max[1] - m->bbox_min[1],
		   m->bbox_max[2] - m->bbox_min[2]);
	if (isnan(m->volume_mm3))
		printf("  Volume      not known\n");
	else
		printf("  Volume      %.6g cm3\n", m->volume_mm3 / 1000);
	printf("  Area        %.6g cm2\n", m->area_mm2 / 100);
	if (!isnan(m->centroid[0]))
		printf("  Centroid    %.3f, %.3f, %.3f mm\n", m->centroid[0],
			   m->centroid[1], m->centroid[2]);
	printf("  Bodies      %lld, closed cavities %lld\n",
		   (long long) m->bodies, (long long) m->cavities);
	printf("  Mesh        %lld triangles, %lld vertices, Euler number %lld\n",
		   (long long) m->triangles, (long long) m->vertices,
		   (long long) m->euler_number);
	printf("  Surface     %s, %s\n", m->watertight ? "watertight" :
		   "not watertight", m->consistent_winding ?
		   "all faces turned alike" : "faces turned differently");
	printf("  Measured    in %.1f ms\n\n", m->measured_in_ms);

	for (int i = 0; i < m->defect_count; i++)
	{
		const MfDefect *d = &m->defects[i];
		char		text[MF_DEFECT_TEXT_MAX];

		mf_measurement_describe_defect(m, d, text);
		printf("  %-8s    %s\n", severity_titles[d->severity], text);
		printf("              %s: %lld%s", mf_defect_name(d->code),
			   (long long) d->count, d->repaired ? ", repaired" : "");
		if (d->located)
			printf(", first at %.3f, %.3f, %.3f mm", d->at[0], d->at[1],
				   d->at[2]);
		printf("\n");
	}
	printf("%s  Verdict     %s.\n", m->defect_count > 0 ? "\n" : "",
		   verdict(m));
}

/* Reads the command line; anything but 0 is the exit status. */
static int
read_arguments(int argc, char **argv, Arguments *arguments)
{
	static const struct option names[] = {
		{"json", no_argument, NULL, 'j'},
		{"unit", required_argument, NULL, 'u'},
		{"basic", no_argument, NULL, 'b'},
		{"threads", required_argument, NULL, 'T'},
		{"max-triangles", required_argument, NULL, 't'},
		{"max-memory", required_argument, NULL, 'm'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0}
	};
	uint64_t	megabytes;
	int			option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", names, NULL)) != -1)
	{
		switch (option)
		{
			case 'j':
				arguments->json = true;
				break;
			case 'u':
				arguments->options.unit = mf_unit_by_name(optarg);
				if (arguments->options.unit == MF_UNIT_NONE)
					return mf_complain("unknown unit \"%s\": say um, mm, cm, m, "
									   "inch or ft", optarg);
				break;
			case 'b':
				arguments->options.basic = true;
				break;
			case 'T':
				if (!mf_read_number(optarg, 1, MF_MAX_THREADS,
									&arguments->threads))
					return mf_complain("\"%s\" is no number of threads from "
									   "1 to %d", optarg, MF_MAX_THREADS);
				break;
			case 't':
				if (!mf_read_number(optarg, 1, UINT64_MAX,
									&arguments->options.max_triangles))
					return mf_complain("\"%s\" is no number of triangles",
									   optarg);
				break;
			case 'm':
				if (!mf_read_number(optarg, 1, UINT64_MAX >> 20, &megabytes))
					return mf_complain("\"%s\" is no number of megabytes",
									   optarg);
				arguments->options.memory_limit = megabytes << 20;
				break;
			case 'h':
				fputs(help, stdout);
				exit(EXIT_SUCCESS);
			case 'v':
				printf("mesflow-geometry %s (engine %d)\n", MF_VERSION,
					   MF_ENGINE_VERSION);
				exit(EXIT_SUCCESS);
			default:
				return mf_complain_of_option(option, argv);
		}
	}
	if (optind >= argc)
		return mf_complain("no file given; try --help");
	if (optind + 1 < argc)
		return mf_complain("one file at a time: what is \"%s\"?",
						   argv[optind + 1]);
	arguments->file = argv[optind];
	return 0;
}

/* Processors that this program may run on. */
static int
usable_processors(void)
{
	cpu_set_t	set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ?
		CPU_COUNT(&set) : 1;
}

/* Measures a file and prints what came out; returns the exit status. */
static int
measure(Arguments *arguments)
{
	int			shown = -1;
	int			exit_status = EXIT_SUCCESS;
	char		json[MF_MEASUREMENT_JSON_MAX];
	Content		content;
	MfMeasurement m;
	MfRefusal	refusal;

	if (!load_content(arguments->file, &content))
		return mf_complain("cannot read \"%s\": %s", arguments->file,
						   strerror(errno));
	arguments->options.name = arguments->file;
	if (arguments->threads == 0)
		arguments->threads = usable_processors();
	arguments->options.pool = mf_pool_start((int) arguments->threads);
	if (isatty(STDERR_FILENO))
	{
		arguments->options.progress = show_progress;
		arguments->options.progress_arg = &shown;
	}

	if (!mf_geometry_measure(content.bytes, content.size, &arguments->options,
							 &m, &refusal))
	{
		if (shown >= 0)
			fprintf(stderr, "\r%16s\r", "");
		if (arguments->json)
			print_refusal_json(&refusal);
		else
			printf("%s\n\n  Refused     %s\n              %s\n",
				   arguments->file, mf_error_code_name(refusal.code),
				   refusal.text);
		exit_status = EXIT_REFUSED;
	}
	else if (!arguments->json)
		print_page(arguments->file, &m);
	else if (mf_measurement_to_json(&m, json, sizeof(json)) > 0)
		printf("%s\n", json);
	else
		exit_status = mf_complain("the measurement is too long to print");
	free_content(&content);
	mf_pool_stop(arguments->options.pool);

	if (fflush(stdout) != 0 || ferror(stdout))
		return mf_complain("cannot write: %s", strerror(errno));
	return exit_status;
}

int
main(int argc, char **argv)
{
	Arguments	arguments = {0};
	int			status;

	/* How the server starts this program; see geometry_serve.c. */
	if (mf_command_serves(argc, argv, mf_geometry_serve, &status))
		return status;

	status = read_arguments(argc, argv, &arguments);
	return status != 0 ? status : measure(&arguments);
}
