/*
 * test_picture.c
 *		Pictures: what they show, how large they are, and that no model makes
 *		one cost too much.  They are read back with libpng.
 */
#include <dirent.h>
#include <png.h>

#include "../../src/geometry/picture.h"
#include "shapes.h"
#include "tap.h"

/* The view's axis to the right and the ways it sees; picture_view.c. */
#define SIDE_SIN	0.57357643635104610
#define SIDE_COS	0.81915204428899179
#define LEVEL		0.86602540378443865

/* All pictures of a model, as pixels of red, green, blue and alpha. */
typedef struct Album
{
	int			count;
	uint32_t	size[MF_PICTURE_COUNT];
	size_t		bytes[MF_PICTURE_COUNT];
	uint8_t    *pixels[MF_PICTURE_COUNT];
	bool		broken;
} Album;

static void
collect(void *arg, uint32_t size, const uint8_t *png, size_t bytes)
{
	Album	   *album = arg;
	png_image	image = {.version = PNG_IMAGE_VERSION};
	uint8_t    *pixels;

	if (album->count == MF_PICTURE_COUNT ||
		!png_image_begin_read_from_memory(&image, png, bytes))
	{
		album->broken = true;
		return;
	}
	image.format = PNG_FORMAT_RGBA;
	pixels = checked(malloc(PNG_IMAGE_SIZE(image)));
	if (!png_image_finish_read(&image, NULL, pixels, 0, NULL) ||
		image.warning_or_error != 0 || image.width != size ||
		image.height != size)
		album->broken = true;
	png_image_free(&image);
	album->size[album->count] = size;
	album->bytes[album->count] = bytes;
	album->pixels[album->count++] = pixels;
}

static void
free_album(Album *album)
{
	for (int i = 0; i < album->count; i++)
		free(album->pixels[i]);
	memset(album, 0, sizeof(*album));
}

static Album
pictures_of(const Soup *soup, int threads)
{
	Album		album = {0};
	Bytes		bytes = as_binary(soup);
	MfPool	   *pool = threads > 0 ? mf_pool_start(threads) : NULL;
	const MfGeometryOptions options = {
		.pool = pool,
		.picture = collect,
		.picture_arg = &album
	};
	MfMeasurement m;
	MfRefusal	refusal;

	if (!measure_bytes(bytes.at, bytes.size, &options, &m, &refusal))
		printf("# refused: %s\n", refusal.text);
	mf_pool_stop(pool);
	free_bytes(&bytes);
	return album;
}

/* Are all sizes there, well-formed, with clear corners and something seen? */
static bool
complete(const Album *album)
{
	bool		good = album->count == MF_PICTURE_COUNT && !album->broken;

	for (int i = 0; good && i < album->count; i++)
	{
		const size_t n = album->size[i];
		const uint8_t *p = album->pixels[i];
		size_t		opaque = 0;

		for (size_t k = 0; k < n * n; k++)
			opaque += p[4 * k + 3] == 255;
		good = n == mf_picture_sizes[i] && opaque > n * n / 50 &&
			album->bytes[i] <= MF_PICTURE_MAX_BYTES && p[3] == 0 &&
			p[4 * n - 1] == 0 && p[4 * (n * n - n) + 3] == 0 &&
			p[4 * n * n - 1] == 0;
	}
	return good;
}

static bool
same_albums(const Album *a, const Album *b)
{
	bool		same = a->count == b->count;

	for (int i = 0; same && i < a->count; i++)
		same = a->size[i] == b->size[i] && a->bytes[i] == b->bytes[i] &&
			memcmp(a->pixels[i], b->pixels[i],
				   4 * (size_t) a->size[i] * a->size[i]) == 0;
	return same;
}

/* The largest picture's pixel; x to the right, y down. */
static const uint8_t *
pixel_at(const Album *album, size_t x, size_t y)
{
	return album->pixels[MF_PICTURE_COUNT - 1] + 4 * (y * 512 + x);
}

/* Pixels of the largest picture that differ much, of one that is turned. */
static size_t
differences(const Album *a, const Album *b, bool mirrored)
{
	size_t		different = 0;

	for (size_t y = 0; y < 512; y++)
		for (size_t x = 0; x < 512; x++)
			different += abs(pixel_at(a, x, y)[3] -
							 pixel_at(b, mirrored ? 511 - x : x, y)[3]) > 64;
	return different;
}

static void
test_cube(void)
{
	Soup		soup = {0};
	Album		album;
	Album		again;

	add_box(&soup, 5, 6, 7, 15, 16, 17, false);
	album = pictures_of(&soup, 0);
	ok(complete(&album), "a cube: a picture of each size");
	ok(album.bytes[0] < 2500 && album.bytes[1] < 3500 &&
	   album.bytes[2] < 5000 && album.bytes[3] < 8000,
	   "of %zu, %zu, %zu and %zu bytes", album.bytes[0], album.bytes[1],
	   album.bytes[2], album.bytes[3]);

	/* The corner nearest to the viewer is a bit below the middle. */
	ok(pixel_at(&album, 256, 130)[1] > pixel_at(&album, 180, 320)[1] + 20 &&
	   pixel_at(&album, 180, 320)[1] > pixel_at(&album, 400, 320)[1] + 20,
	   "its top is brighter than its front, and that than its side");
	for (int threads = 1; threads <= 5; threads += 2)
	{
		again = pictures_of(&soup, threads);
		ok(same_albums(&album, &again), "the same with %d threads", threads);
		free_album(&again);
	}
	move_soup(&soup, 1000, -3000, 500);
	again = pictures_of(&soup, 0);
	ok(complete(&again) && differences(&album, &again, false) == 0,
	   "the same wherever it stands");
	free_album(&again);
	free_album(&album);
	free_soup(&soup);
}

/* What is covered, against the box's shadow on the picture's plane. */
static void
test_area(void)
{
	static const double sides[][3] = {
		{1, 1, 1}, {10, 2, 3}, {2, 10, 3}, {1, 2, 30}, {50, 50, 1}
	};

	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++)
	{
		const double *s = sides[i];
		const double shadow = LEVEL * SIDE_SIN * s[1] * s[2] +
		LEVEL * SIDE_COS * s[0] * s[2] + 0.5 * s[0] * s[1];
		const double width = SIDE_COS * s[0] + SIDE_SIN * s[1];
		const double height = 0.5 * (SIDE_SIN * s[0] + SIDE_COS * s[1]) +
		LEVEL * s[2];
		const double scale = 0.94 * 512 / fmax(width, height);
		double		covered = 0;
		Soup		soup = {0};
		Album		album;

		add_box(&soup, 0, 0, 0, s[0], s[1], s[2], false);
		album = pictures_of(&soup, 2);
		for (size_t k = 0; k < 512 * 512 && album.count > 0; k++)
			covered += album.pixels[MF_PICTURE_COUNT - 1][4 * k + 3] / 255.0;
		ok(near(covered, shadow * scale * scale, 0.01),
		   "a box of %g x %g x %g covers %.0f pixels", s[0], s[1], s[2],
		   covered);
		free_album(&album);
		free_soup(&soup);
	}
}

/* An L with a thorn, and its mirror image in the plane that the viewer is in. */
static void
test_mirror(void)
{
	static const double right[3] = {SIDE_COS, SIDE_SIN, 0};
	Soup		soup = {0};
	Album		album;
	Album		mirrored;

	add_box(&soup, 0, 0, 0, 30, 10, 5, false);
	add_box(&soup, 40, 0, 0, 50, 10, 25, false);
	add_tetrahedron(&soup, 20, 20, 0, 9);
	album = pictures_of(&soup, 2);
	for (size_t t = 0; t < soup.count; t++)
	{
		float		(*at)[3] = soup.triangle[t];

		for (int i = 0; i < 3; i++)
		{
			const double along = right[0] * (double) at[i][0] +
			right[1] * (double) at[i][1];

			for (int k = 0; k < 2; k++)
				at[i][k] = (float) ((double) at[i][k] - 2 * along * right[k]);
		}
		turn_triangle(&soup, t);
	}
	mirrored = pictures_of(&soup, 2);
	ok(complete(&album) && complete(&mirrored) &&
	   differences(&album, &mirrored, false) > 10000,
	   "a mirrored model has another picture");
	ok(differences(&album, &mirrored, true) < 100,
	   "which is the mirrored picture");
	free_album(&album);
	free_album(&mirrored);
	free_soup(&soup);
}

/* Counts pixels that are much more red, or more yellow, than blue. */
static void
count_colours(const Album *album, size_t *warning, size_t *mark)
{
	*warning = *mark = 0;
	for (size_t k = 0; k < 512 * 512 && album->count > 0; k++)
	{
		const uint8_t *p = album->pixels[MF_PICTURE_COUNT - 1] + 4 * k;

		if (p[3] < 255 || p[0] < p[2] + 60)
			continue;
		if (p[1] < p[0] / 3)
			++* mark;
		else
			++*warning;
	}
}

static void
test_defects(void)
{
	Soup		soup = {0};
	Album		album;
	size_t		warning;
	size_t		mark;

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	album = pictures_of(&soup, 2);
	count_colours(&album, &warning, &mark);
	ok(warning == 0 && mark == 0, "a closed cube has no colours");
	free_album(&album);
	remove_triangle(&soup, 3);
	remove_triangle(&soup, 2);
	album = pictures_of(&soup, 2);
	count_colours(&album, &warning, &mark);
	ok(complete(&album) && warning > 20000,
	   "of an open one the inside is yellow: %zu pixels", warning);
	ok(mark > 200 && mark < 2000, "and a place is marked: %zu pixels", mark);
	free_album(&album);
	free_soup(&soup);
}

/* Large triangles behind each other, the farthest first; and noise. */
static void
test_hostile(void)
{
	uint64_t	state = 5;
	Soup		soup = {0};
	Album		album;

	for (int i = 0; i < 5000; i++)
	{
		const double y = 100 - i * 0.02;
		const double a[3] = {0, y, 0};
		const double b[3] = {100, y, 0};
		const double c[3] = {50, y, 100};

		add_triangle(&soup, a, b, c);
	}
	album = pictures_of(&soup, 2);
	ok(complete(&album), "5000 triangles that each cover the picture");
	free_album(&album);
	soup.count = 0;

	for (int i = 0; i < 100000; i++)
	{
		double		at[3][3];

		for (int k = 0; k < 9; k++)
			at[k / 3][k % 3] = (k < 3 ? 100 : at[0][k % 3]) +
				(double) (next_random(&state) % 1000) / (k < 3 ? 10 : 500);
		add_triangle(&soup, at[0], at[1], at[2]);
	}
	album = pictures_of(&soup, 2);
	ok(album.count >= 3 && !album.broken, "noise has %d pictures", album.count);
	for (int i = 0; i < album.count; i++)
		ok(album.bytes[i] <= MF_PICTURE_MAX_BYTES, "%u pixels: %zu bytes",
		   album.size[i], album.bytes[i]);
	free_album(&album);
	free_soup(&soup);
}

/* Where memory does not reach, there is a measurement without a picture. */
static void
test_memory(void)
{
	Soup		soup = {0};
	Bytes		bytes;
	bool		broken = false;
	int			counts[MF_PICTURE_COUNT + 1] = {0};
	int			refused = 0;

	add_torus(&soup, 20, 20, 10, 3);
	bytes = as_binary(&soup);
	for (uint64_t limit = 64 * 1024; limit < 32 * 1024 * 1024;
		 limit += limit / 3)
	{
		Album		album = {0};
		const MfGeometryOptions options = {
			.memory_limit = limit,
			.picture = collect,
			.picture_arg = &album
		};
		MfMeasurement m;
		MfRefusal	refusal;

		if (measure_bytes(bytes.at, bytes.size, &options, &m, &refusal))
			counts[album.count]++;
		else
			refused += refusal.code == MF_ERROR_OUT_OF_MEMORY;
		broken = broken || album.broken;
		free_album(&album);
	}
	ok(!broken && counts[0] > 2 && counts[MF_PICTURE_COUNT] > 1 &&
	   counts[1] + counts[2] + counts[3] == 0,
	   "with little memory: %d refused, %d without a picture, %d with all",
	   refused, counts[0], counts[MF_PICTURE_COUNT]);
	free_bytes(&bytes);
	free_soup(&soup);
}

static void
test_basic(void)
{
	Soup		soup = {0};
	Album		album = {0};
	Bytes		bytes;
	const MfGeometryOptions options = {
		.basic = true,
		.picture = collect,
		.picture_arg = &album
	};
	MfMeasurement m;
	MfRefusal	refusal;

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	bytes = as_binary(&soup);
	ok(measure_bytes(bytes.at, bytes.size, &options, &m, &refusal) &&
	   album.count == 0, "the basics are without a picture");
	free_bytes(&bytes);
	free_soup(&soup);
}

/* libpng's errors stay where they are: any arena, any room. */
static void
test_encode(void)
{
	const uint32_t size = 64;
	uint8_t    *index = checked(malloc(size * size));
	uint8_t    *whole = checked(malloc(MF_PICTURE_MAX_BYTES));
	void	   *arena = checked(malloc(MF_PICTURE_ARENA));
	size_t		length;
	size_t		least = 0;
	bool		good = true;

	for (uint32_t i = 0; i < size * size; i++)
		index[i] = (uint8_t) (i * i % 200);
	length = mf_picture_encode(index, size, arena, MF_PICTURE_ARENA, whole,
							   MF_PICTURE_MAX_BYTES);
	ok(length > 1000, "a picture of %zu bytes", length);
	for (size_t room = 0; room <= length; room++)
	{
		uint8_t    *png = checked(malloc(room + 1));
		const size_t got = mf_picture_encode(index, size, arena,
											 MF_PICTURE_ARENA, png, room);

		good = good && got == (room < length ? 0 : length) &&
			memcmp(png, whole, got) == 0;
		free(png);
	}
	ok(good, "does not fit into less");
	for (size_t given = 0; given <= MF_PICTURE_ARENA; given += 1021)
	{
		void	   *small = checked(malloc(given + 1));
		const size_t got = mf_picture_encode(index, size, small, given, whole,
											 MF_PICTURE_MAX_BYTES);

		good = good && (got == 0 || got == length) &&
			(least == 0 || got == length);
		if (got > 0 && least == 0)
			least = given;
		free(small);
	}
	ok(good && least > 0 && least < MF_PICTURE_ARENA / 2,
	   "nor is it made in less memory than %zu bytes", least);
	free(index);
	free(whole);
	free(arena);
}

/*
 * Pictures of `count` tori, each turned in one of four ways.  `tall`: with y
 * instead of z up, which is to look the same.
 */
static Album
pictures_of_many(int count, int rows, bool tall)
{
	Album		album = {0};
	MfRefusal	refusal;
	MfMeasurement m = {.format = tall ? MF_FORMAT_GLB : MF_FORMAT_3MF};
	MfPool	   *pool = mf_pool_start(3);
	MfJob		job = {
		.max_triangles = MF_DEFAULT_MAX_TRIANGLES,
		.unit_in_mm = 1,
		.pool = pool,
		.refusal = &refusal,
		.share = 1
	};
	MfScene		scene = {0};
	Soup		soup = {0};
	Bytes		bytes;
	MfPart	   *part;

	add_torus(&soup, rows, 8, 10, 3);
	bytes = as_binary(&soup);
	job.bytes = bytes.at;
	job.size = bytes.size;
	part = mf_scene_add_part(&job, &scene);
	if (part == NULL || !mf_stl_read_binary(&job, &part->mesh) ||
		!mf_mesh_bound(&job, &part->mesh))
		exit(99);
	for (int i = 0; i < count; i++)
	{
		static const double turned[4][3][3] = {
			{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
			{{1, 0, 0}, {0, 0, -1}, {0, 1, 0}},
			{{0, 0, 1}, {0, 1, 0}, {-1, 0, 0}},
			{{-1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
		};
		static const double y_up[3][3] = {{1, 0, 0}, {0, 0, 1}, {0, -1, 0}};
		const int	columns = count < 100 ? 4 : 100;
		const double place[3] = {
			i % columns * 30, i / columns % 100 * 30, i / columns / 100 * 30
		};
		const double lying[3] = {place[0], place[2], -place[1]};
		double		map[3][3] = {{0}};

		for (int r = 0; r < 3; r++)
			for (int c = 0; c < 3; c++)
				for (int k = 0; k < 3; k++)
					map[r][c] += (tall ? y_up[r][k] : r == k) *
						turned[i % 4][k][c];
		if (!mf_scene_place(&job, &scene, 0, (const double (*)[3]) map,
							tall ? lying : place))
			exit(99);
	}
	if (!mf_scene_settle(&job, &scene) ||
		!mf_part_measure(&job, &scene.part[0]))
		exit(99);
	mf_picture_make(&job, &scene, &m, collect, &album);
	mf_scene_free(&job, &scene);
	ok(job.memory.used == 0, "%d instances: all memory is given back", count);
	mf_pool_stop(pool);
	free_bytes(&bytes);
	free_soup(&soup);
	return album;
}

static void
test_instances(void)
{
	Album		album = pictures_of_many(12, 30, false);
	Album		tall = pictures_of_many(12, 30, true);

	ok(complete(&album), "twelve tori, some turned, one mirrored");
	ok(complete(&tall) && differences(&album, &tall, false) < 20,
	   "a model whose y points up stands upright");
	free_album(&album);
	free_album(&tall);

	/* 240 triangles each: together below what is drawn whole; then above. */
	album = pictures_of_many(20000, 15, false);
	ok(complete(&album), "20000 of them");
	free_album(&album);
	album = pictures_of_many(MF_MAX_INSTANCES, 100, false);
	ok(complete(&album), "100000 of 1600 triangles, drawn as boxes");
	free_album(&album);
}

/* A file of the shared models. */
static Bytes
read_model(const char *folder, const char *name)
{
	char		path[4096];
	uint8_t		block[65536];
	Bytes		bytes = {0};
	size_t		got;
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = checked(fopen(path, "rb"));
	while ((got = fread(block, 1, sizeof(block), file)) > 0)
		add_bytes(&bytes, block, got);
	fclose(file);
	return bytes;
}

/* Each model of a folder: measured with all pictures, or refused with none. */
static void
test_folder(const char *models, const char *name)
{
	MfPool	   *pool = mf_pool_start(2);
	char		folder[2048];
	DIR		   *listing;
	struct dirent *entry;
	int			measured = 0;
	int			wrong = 0;
	size_t		longest = 0;

	snprintf(folder, sizeof(folder), "%s/%s", models, name);
	listing = checked(opendir(folder));
	while ((entry = readdir(listing)) != NULL)
	{
		Album		album = {0};
		const MfGeometryOptions options = {
			.memory_limit = UINT64_C(300) << 20,
			.pool = pool,
			.picture = collect,
			.picture_arg = &album
		};
		MfMeasurement m;
		MfRefusal	refusal;
		Bytes		bytes;
		bool		good;

		if (entry->d_name[0] == '.')
			continue;
		bytes = read_model(folder, entry->d_name);
		good = measure_bytes(bytes.at, bytes.size, &options, &m, &refusal);
		if (album.broken || album.count != (good ? MF_PICTURE_COUNT : 0))
		{
			printf("# %s: %d pictures\n", entry->d_name, album.count);
			wrong++;
		}
		measured += good;
		if (good && album.count > 2 && album.bytes[2] > longest)
			longest = album.bytes[2];
		free_album(&album);
		free_bytes(&bytes);
	}
	closedir(listing);
	mf_pool_stop(pool);
	ok(wrong == 0 && measured > 0,
	   "%s: %d models have pictures, of 256 pixels up to %zu bytes", name,
	   measured, longest);
}

int
main(void)
{
	const char *models = getenv("MESFLOW_MODELS");

	test_cube();
	test_area();
	test_mirror();
	test_defects();
	test_hostile();
	test_memory();
	test_basic();
	test_encode();
	test_instances();
	if (models != NULL && models[0] != '\0')
	{
		test_folder(models, "real");
		test_folder(models, "crafted");
		test_folder(models, "conformance");
	}
	else
		skip("pictures of the shared models", "MESFLOW_MODELS is not set");
	return tap_done();
}
