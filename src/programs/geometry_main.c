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
#include "geometry_page.h"
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
	const char *picture;		/* file to write; NULL: none */
	uint64_t	picture_size;
	MfSection	section;		/* where options.section points to it */
	uint64_t	threads;		/* 0: as many as there are processors */
	MfGeometryOptions options;
} Arguments;

static const char help[] =
"mesflow-geometry measures a 3D model: size, material, walls, supports, defects.\n"
"\n"
"Usage:\n"
"  mesflow-geometry [OPTION]... FILE\n"
"\n"
"FILE is a model in STL, OBJ, PLY, 3MF or GLB, whatever its name; - reads\n"
"standard input.\n"
"\n"
"Options:\n"
"  --json               print one JSON object instead of a page\n"
"  --unit UNIT          the unit of the file: um, mm, cm, m, inch or ft\n"
"                       (default: what the file says, or mm)\n"
"  --basic              only size, volume, area, bodies and defects\n"
"  --section Z          the cross section at the height Z, in mm, too\n"
"  --picture FILE.png   write a picture of the model to this file\n"
"  --picture-size N     its width and height in pixels, the next size of 64,\n"
"                       128, 256 and 512 (default: 512)\n"
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

/* The picture that is to be written. */
typedef struct Kept
{
	uint64_t	wanted;
	size_t		bytes;			/* 0: none */
	uint8_t		png[MF_PICTURE_MAX_BYTES];
} Kept;

/*
 * Keeps the smallest picture that is as large as wanted, or else the largest;
 * they come in the order of their sizes.
 */
static void
keep_picture(void *arg, uint32_t size, const uint8_t *png, size_t bytes)
{
	Kept	   *kept = arg;

	if (kept->wanted == 0)
		return;
	memcpy(kept->png, png, bytes);
	kept->bytes = bytes;
	if (size >= kept->wanted)
		kept->wanted = 0;
}

/* Writes the picture; returns the exit status. */
static int
write_picture(const char *path, const Kept *kept)
{
	FILE	   *file;
	bool		good;

	if (kept->bytes == 0)
		return mf_complain("no picture of this model: there is nothing to be seen");
	file = fopen(path, "wb");
	if (file == NULL)
		return mf_complain("cannot write \"%s\": %s", path, strerror(errno));
	good = fwrite(kept->png, 1, kept->bytes, file) == kept->bytes;
	if (fclose(file) != 0 || !good)
		return mf_complain("cannot write \"%s\": %s", path, strerror(errno));
	return EXIT_SUCCESS;
}

/* Reads a height in mm: a finite number, and nothing else. */
static bool
read_height(const char *text, double *height)
{
	char	   *end;

	*height = strtod(text, &end);
	return end > text && *end == '\0' && isfinite(*height);
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
		{"picture", required_argument, NULL, 'p'},
		{"picture-size", required_argument, NULL, 'P'},
		{"section", required_argument, NULL, 's'},
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
			case 'p':
				arguments->picture = optarg;
				break;
			case 's':
				if (!read_height(optarg, &arguments->section.z))
					return mf_complain("\"%s\" is no height in mm", optarg);
				arguments->options.section = &arguments->section;
				break;
			case 'P':
				if (!mf_read_number(optarg, MF_PICTURE_LEAST,
									MF_PICTURE_LARGEST,
									&arguments->picture_size))
					return mf_complain("\"%s\" is no size of a picture from "
									   "%d to %d", optarg, MF_PICTURE_LEAST,
									   MF_PICTURE_LARGEST);
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
	if (arguments->picture != NULL && arguments->options.basic)
		return mf_complain("--basic leaves the picture out: say one of the two");
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

/*
 * Prints the measurement as JSON, and the section as one more key where it
 * was asked for.  False: it is too long.
 */
static bool
print_json(const MfMeasurement *m, const MfSection *section)
{
	char		json[MF_MEASUREMENT_JSON_MAX];
	const size_t length = mf_measurement_to_json(m, json, sizeof(json));

	if (length == 0)
		return false;
	if (section == NULL)
		printf("%s\n", json);
	else if (isnan(section->area))
		printf("%.*s,\"section\":null}\n", (int) length - 1, json);
	else
		printf("%.*s,\"section\":{\"z\":%.17g,\"area_mm2\":%.17g,"
			   "\"perimeter_mm\":%.17g}}\n", (int) length - 1, json,
			   section->z, section->area, section->perimeter);
	return true;
}

/* Prints what came out; returns the exit status. */
static int
print_outcome(const Arguments *arguments, const MfMeasurement *m,
			  const MfRefusal *refusal)
{
	if (m == NULL && arguments->json)
		print_refusal_json(refusal);
	else if (m == NULL)
		mf_page_refusal(arguments->file, refusal);
	else if (!arguments->json)
		mf_page_print(arguments->file, m, arguments->options.section);
	else if (!print_json(m, arguments->options.section))
		return mf_complain("the measurement is too long to print");
	return m == NULL ? EXIT_REFUSED : EXIT_SUCCESS;
}

/* Measures a file and prints what came out; returns the exit status. */
static int
measure(Arguments *arguments)
{
	MfShown		shown = {.percent = -1};
	Kept		kept = {.wanted = arguments->picture_size};
	Content		content;
	MfMeasurement m;
	MfRefusal	refusal;
	bool		good;
	int			exit_status;

	if (!load_content(arguments->file, &content))
		return mf_complain("cannot read \"%s\": %s", arguments->file,
						   strerror(errno));
	arguments->options.name = arguments->file;
	if (arguments->threads == 0)
		arguments->threads = usable_processors();
	arguments->options.pool = mf_pool_start((int) arguments->threads);
	if (isatty(STDERR_FILENO))
	{
		arguments->options.progress = mf_page_progress;
		arguments->options.progress_arg = &shown;
	}
	if (arguments->picture != NULL)
	{
		arguments->options.picture = keep_picture;
		arguments->options.picture_arg = &kept;
	}

	good = mf_geometry_measure(content.bytes, content.size,
							   &arguments->options, &m, &refusal);
	mf_page_progress_end(&shown);
	exit_status = print_outcome(arguments, good ? &m : NULL, &refusal);
	free_content(&content);
	mf_pool_stop(arguments->options.pool);

	if (fflush(stdout) != 0 || ferror(stdout))
		return mf_complain("cannot write: %s", strerror(errno));
	if (exit_status == EXIT_SUCCESS && arguments->picture != NULL)
		exit_status = write_picture(arguments->picture, &kept);
	return exit_status;
}

int
main(int argc, char **argv)
{
	Arguments	arguments = {.picture_size = MF_PICTURE_LARGEST};
	int			status;

	/* How the server starts this program; see geometry_serve.c. */
	if (mf_command_serves(argc, argv, mf_geometry_serve, &status))
		return status;

	status = read_arguments(argc, argv, &arguments);
	return status != 0 ? status : measure(&arguments);
}
