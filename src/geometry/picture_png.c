/*
 * picture_png.c
 *		From a canvas to pictures: smaller, in few colours, as PNG.
 *
 * A picture has a palette (PNG, RFC 2083 section 4.1.2): clear, then colours
 * that let the page shine through by quarters, at the outlines, then full
 * ones.  So a pixel is one byte and the file a few kB.
 */
#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "picture.h"

/* An outline is where something lies so much farther, of the whole depth. */
#define OUTLINE_DEPTH	(UINT32_MAX / 50)

/* How far from a pixel an outline is looked for, and what is left there. */
#define OUTLINE_REACH	2
#define OUTLINE_SHADE(shade)	((shade) * 9 / 16)

/* Coverage is told in quarters. */
#define QUARTERS		4

/* Colours of one kind: from the darkest to the brightest. */
typedef struct Ramp
{
	uint8_t		dark[3];
	uint8_t		bright[3];
	uint8_t		full;			/* how many full ones */
	uint8_t		partial;		/* how many of each quarter */
} Ramp;

/* In the order of MfPictureKind. */
static const Ramp ramp[MF_PICTURE_KINDS] = {
	{{52, 60, 70}, {232, 237, 242}, 96, 20},
	{{96, 58, 8}, {255, 190, 70}, 32, 6},
	{{120, 8, 12}, {240, 40, 40}, 16, 4}
};

#define COLOURS		(1 + 3 * (20 + 6 + 4) + 96 + 32 + 16)
#define PARTIALS	(1 + 3 * (20 + 6 + 4))

/* Where the colours of a kind begin, full or of some quarters. */
static uint32_t
first_colour(uint32_t kind, uint32_t quarters)
{
	uint32_t	first = 1;

	for (uint32_t q = 1; q <= QUARTERS; q++)
		for (uint32_t k = 0; k < MF_PICTURE_KINDS; k++)
		{
			if (q == quarters && k == kind)
				return first;
			first += q == QUARTERS ? ramp[k].full : ramp[k].partial;
		}
	return 0;
}

static void
fill_palette(png_color palette[COLOURS], png_byte alpha[PARTIALS])
{
	uint32_t	at = 1;

	memset(palette, 0, COLOURS * sizeof(palette[0]));
	alpha[0] = 0;
	for (uint32_t q = 1; q <= QUARTERS; q++)
		for (uint32_t k = 0; k < MF_PICTURE_KINDS; k++)
		{
			const Ramp *r = &ramp[k];
			const uint32_t steps = q == QUARTERS ? r->full : r->partial;

			for (uint32_t s = 0; s < steps; s++, at++)
			{
				png_byte	rgb[3];

				for (int c = 0; c < 3; c++)
					rgb[c] = (png_byte) (r->dark[c] +
										 (r->bright[c] - r->dark[c]) *
										 (int) s / (int) (steps - 1));
				palette[at].red = rgb[0];
				palette[at].green = rgb[1];
				palette[at].blue = rgb[2];
				if (q < QUARTERS)
					alpha[at] = (png_byte) (255 * q / QUARTERS);
			}
		}
}

/* Does something far behind this pixel begin beside it? */
static bool
is_outline(const MfCanvas *canvas, uint32_t column, uint32_t row,
		   uint64_t pixel)
{
	static const int way[4][2] = {
		{-OUTLINE_REACH, 0}, {OUTLINE_REACH, 0}, {0, -OUTLINE_REACH},
		{0, OUTLINE_REACH}
	};
	const uint32_t depth = MF_SAMPLE_DEPTH(pixel);
	const uint32_t farther = depth < UINT32_MAX - OUTLINE_DEPTH ?
	depth + OUTLINE_DEPTH : UINT32_MAX;

	if (MF_SAMPLE_KIND(pixel) == MF_PICTURE_MARK)
		return false;
	for (int i = 0; i < 4; i++)
	{
		const uint32_t x = column + (uint32_t) way[i][0];
		const uint32_t y = row + (uint32_t) way[i][1];

		if (x >= MF_CANVAS_SIDE || y >= MF_CANVAS_SIDE ||
			MF_SAMPLE_DEPTH(canvas->pixel[(size_t) y * MF_CANVAS_SIDE + x]) >=
			farther)
			return true;
	}
	return false;
}

static void
add_sample(const MfCanvas *canvas, uint32_t column, uint32_t row,
		   MfPictureCell *cell)
{
	const uint64_t pixel =
	canvas->pixel[(size_t) row * MF_CANVAS_SIDE + column];
	uint32_t	shade;

	if (pixel == MF_CANVAS_EMPTY)
		return;
	shade = MF_SAMPLE_SHADE(pixel);
	if (is_outline(canvas, column, row, pixel))
		shade = OUTLINE_SHADE(shade);
	cell->shade += shade;
	cell->covered++;
	cell->kind[MF_SAMPLE_KIND(pixel)]++;
}

/* Sums up some rows of the largest picture; see picture.h. */
void
mf_picture_resolve(const MfCanvas *canvas, uint32_t first, uint32_t last,
				   MfPictureCell *cell)
{
	const uint32_t size = MF_CANVAS_SIDE / 2;

	for (uint32_t row = first; row < last; row++)
		for (uint32_t column = 0; column < size; column++)
		{
			MfPictureCell *to = &cell[(size_t) row * size + column];

			memset(to, 0, sizeof(*to));
			for (uint32_t i = 0; i < 4; i++)
				add_sample(canvas, 2 * column + i % 2,
						   MF_CANVAS_SIDE - 1 - (2 * row + i / 2), to);
		}
}

/* Makes a picture of `size` half as large, in place. */
void
mf_picture_halve(MfPictureCell *cell, uint32_t size)
{
	const uint32_t half = size / 2;

	for (uint32_t row = 0; row < half; row++)
		for (uint32_t column = 0; column < half; column++)
		{
			MfPictureCell sum = {0};

			for (uint32_t i = 0; i < 4; i++)
			{
				const MfPictureCell *from =
				&cell[(size_t) (2 * row + i / 2) * size + 2 * column +
					  i % 2];

				sum.shade += from->shade;
				sum.covered = (uint16_t) (sum.covered + from->covered);
				for (int k = 0; k < MF_PICTURE_KINDS; k++)
					sum.kind[k] = (uint16_t) (sum.kind[k] + from->kind[k]);
			}
			cell[(size_t) row * half + column] = sum;
		}
}

/* The colour of each pixel: of the kind that covers most of it. */
void
mf_picture_colour(const MfPictureCell *cell, uint32_t size, uint8_t *index)
{
	const uint32_t factor = MF_CANVAS_SIDE / size;
	const uint32_t all = factor * factor;

	for (uint32_t i = 0; i < size * size; i++)
	{
		const uint32_t covered = cell[i].covered;
		const uint32_t quarters = (covered * QUARTERS + all / 2) / all;
		uint32_t	kind = MF_PICTURE_MATERIAL;
		uint32_t	steps;
		uint32_t	step;

		index[i] = 0;
		if (quarters == 0)
			continue;
		for (uint32_t k = MF_PICTURE_KINDS - 1; k > 0; k--)
			if (2 * cell[i].kind[k] >= covered)
			{
				kind = k;
				break;
			}
		steps = quarters == QUARTERS ? ramp[kind].full : ramp[kind].partial;
		step = cell[i].shade * steps / (covered * 256);
		index[i] = (uint8_t) (first_colour(kind, quarters) + step);
	}
}

/*
 * Makes one shade of so many neighbouring ones: the file of a noisy picture
 * becomes shorter.
 */
void
mf_picture_coarsen(uint8_t *index, uint32_t size, uint32_t coarseness)
{
	uint8_t		instead[COLOURS];
	uint32_t	at = 1;

	instead[0] = 0;
	for (uint32_t q = 1; q <= QUARTERS; q++)
		for (uint32_t k = 0; k < MF_PICTURE_KINDS; k++)
		{
			const uint32_t steps = q == QUARTERS ? ramp[k].full :
			ramp[k].partial;

			for (uint32_t s = 0; s < steps; s++, at++)
				instead[at] = (uint8_t) (at - s % coarseness);
		}
	for (uint32_t i = 0; i < size * size; i++)
		index[i] = instead[index[i]];
}

/* What one call of mf_picture_encode works with. */
typedef struct Output
{
	uint8_t    *arena;
	size_t		arena_size;
	size_t		arena_used;
	uint8_t    *png;
	size_t		room;
	size_t		length;
} Output;

/* Memory comes from the arena and goes back with it as a whole. */
static png_voidp
take_memory(png_structp png, png_alloc_size_t bytes)
{
	Output	   *output = png_get_mem_ptr(png);
	const size_t padded = (bytes + 15) & ~(size_t) 15;
	void	   *block;

	if (bytes > output->arena_size ||
		padded > output->arena_size - output->arena_used)
		return NULL;
	block = output->arena + output->arena_used;
	output->arena_used += padded;
	return block;
}

static void
leave_memory(png_structp png, png_voidp block)
{
	(void) png;
	(void) block;
}

static void
write_bytes(png_structp png, png_bytep bytes, size_t count)
{
	Output	   *output = png_get_io_ptr(png);

	if (count > output->room - output->length)
		png_error(png, "no room");
	memcpy(output->png + output->length, bytes, count);
	output->length += count;
}

static void
flush_bytes(png_structp png)
{
	(void) png;
}

/* libpng must not come back from an error. */
static void
on_error(png_structp png, png_const_charp message)
{
	(void) message;
	png_longjmp(png, 1);
}

static void
on_warning(png_structp png, png_const_charp message)
{
	(void) png;
	(void) message;
}

/* Writes a PNG; see picture.h.  No jump of libpng's leaves this function. */
size_t
mf_picture_encode(const uint8_t *index, uint32_t size, void *arena,
				  size_t arena_size, uint8_t *png, size_t room)
{
	Output		output = {arena, arena_size, 0, png, room, 0};
	png_color	palette[COLOURS];
	png_byte	alpha[PARTIALS];
	png_structp writer;
	png_infop	info;

	writer = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, NULL, on_error,
									   on_warning, &output, take_memory,
									   leave_memory);
	if (writer == NULL)
		return 0;
	if (setjmp(png_jmpbuf(writer)) != 0)
		return 0;
	info = png_create_info_struct(writer);
	if (info == NULL)
		return 0;
	fill_palette(palette, alpha);
	png_set_write_fn(writer, &output, write_bytes, flush_bytes);
	png_set_IHDR(writer, info, size, size, 8, PNG_COLOR_TYPE_PALETTE,
				 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
				 PNG_FILTER_TYPE_DEFAULT);
	png_set_PLTE(writer, info, palette, COLOURS);
	png_set_tRNS(writer, info, alpha, PARTIALS, NULL);
	png_write_info(writer, info);
	for (uint32_t row = 0; row < size; row++)
		png_write_row(writer, index + (size_t) row * size);
	png_write_end(writer, NULL);
	return output.length;
}
