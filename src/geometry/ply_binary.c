/*
 * ply_binary.c
 *		Rows of a binary PLY file, in either byte order.
 */
#include <math.h>
#include <string.h>

#include "ply.h"
#include "text.h"

/*
 * Reads an unsigned integer of `size` bytes in the file's order.  All callers
 * know size and order before their loops, and this becomes a load.
 */
static inline uint64_t
load_bits(const uint8_t *from, uint32_t size, bool big)
{
	uint16_t	two;
	uint32_t	four;
	uint64_t	eight;

	switch (size)
	{
		case 1:
			return *from;
		case 2:
			memcpy(&two, from, 2);
			return big ? __builtin_bswap16(two) : two;
		case 4:
			memcpy(&four, from, 4);
			return big ? __builtin_bswap32(four) : four;
		default:
			memcpy(&eight, from, 8);
			return big ? __builtin_bswap64(eight) : eight;
	}
}

/* Reads a whole number; one beyond 2^63 - 1 is that. */
static inline int64_t
load_integer(const uint8_t *from, MfPlyType type, bool big)
{
	const uint64_t bits = load_bits(from, mf_ply_type_size(type), big);

	switch (type)
	{
		case MF_PLY_INT8:
			return (int8_t) bits;
		case MF_PLY_INT16:
			return (int16_t) bits;
		case MF_PLY_INT32:
			return (int32_t) bits;
		case MF_PLY_UINT64:
			return bits > INT64_MAX ? INT64_MAX : (int64_t) bits;
		default:
			return (int64_t) bits;
	}
}

/* Reads any number. */
static inline double
load_real(const uint8_t *from, MfPlyType type, bool big)
{
	const uint64_t bits = load_bits(from, mf_ply_type_size(type), big);
	const uint32_t low = (uint32_t) bits;
	float		narrow;
	double		wide;

	if (type == MF_PLY_FLOAT32)
	{
		memcpy(&narrow, &low, sizeof(narrow));
		return narrow;
	}
	if (type == MF_PLY_FLOAT64)
	{
		memcpy(&wide, &bits, sizeof(wide));
		return wide;
	}
	if (type == MF_PLY_UINT64)
		return (double) bits;
	return (double) load_integer(from, type, big);
}

/* Refuses a vertex whose coordinates are not finite; false. */
static bool
refuse_vertex(MfPly *ply, uint64_t row)
{
	mf_refuse(ply->job->refusal, MF_ERROR_NON_FINITE,
			  "Vertex %llu has a coordinate that is not a finite number.",
			  (unsigned long long) row);
	return false;
}

/* Reads one coordinate of some vertices whose rows are all of one length. */
static inline void
read_column(double (*to)[3], int coordinate, uint64_t count,
			const uint8_t *from, uint64_t stride, MfPlyType type, bool big)
{
	for (uint64_t v = 0; v < count; v++)
		to[v][coordinate] = load_real(from + v * stride, type, big);
}

/* Reads all vertices, whose rows are of one length and are all there. */
static bool
read_vertices(MfPly *ply, const MfPlyElement *element)
{
	const uint64_t stride = element->least_bytes;
	const bool	big = ply->encoding == MF_PLY_BIG_ENDIAN;

	for (uint64_t done = 0; done < element->count;)
	{
		double		(*to)[3] = ply->mesh->wide_at + done;
		const uint8_t *from = ply->at;
		uint64_t	step = element->count - done;

		if (step > MF_PROGRESS_ITEMS)
			step = MF_PROGRESS_ITEMS;
		mf_job_progress(ply->job, MF_STAGE_READING, ply->at - ply->job->bytes,
						ply->job->size);
		for (uint32_t i = 0; i < element->properties; i++)
		{
			const MfPlyProperty *p = &ply->property[element->first + i];

			if (p->role > MF_PLY_Z)
				;
			else if (p->type == MF_PLY_FLOAT32 && !big)
				read_column(to, p->role, step, from, stride, MF_PLY_FLOAT32,
							false);
			else
				read_column(to, p->role, step, from, stride, p->type, big);
			from += mf_ply_type_size(p->type);
		}
		for (uint64_t v = 0; v < step; v++)
			if (!isfinite(to[v][0]) || !isfinite(to[v][1]) ||
				!isfinite(to[v][2]))
				return refuse_vertex(ply, done + v);
		ply->at += step * stride;
		done += step;
	}
	return true;
}

/* Reads the corners of a face, which are all there, and adds it. */
static inline bool
read_face(MfPly *ply, const uint8_t *from, uint64_t count, MfPlyType type,
		  bool big, uint64_t row)
{
	MfPolygon  *polygon = &ply->polygon;
	const uint32_t size = mf_ply_type_size(type);

	if (count < 3 || count > MF_MAX_POLYGON_CORNERS)
		return mf_ply_refuse_count(ply, count, row);
	if (count > polygon->room &&
		!mf_polygon_reserve(ply->job, polygon, (uint32_t) count))
		return false;
	for (uint64_t i = 0; i < count; i++)
	{
		const int64_t corner = load_integer(from + i * size, type, big);

		if ((uint64_t) corner >= ply->vertices)
			return mf_ply_refuse_corner(ply, corner, row);
		polygon->corner[i].vertex = (uint32_t) corner;
	}
	polygon->count = (uint32_t) count;
	return mf_polygon_add(ply->job, ply->mesh, polygon);
}

/* Reads the numbers of vertices in a row, which are all there. */
static bool
read_corners(MfPly *ply, const MfPlyElement *element, uint64_t count,
			 MfPlyType type, uint64_t row)
{
	const bool	big = ply->encoding == MF_PLY_BIG_ENDIAN;
	const uint32_t size = mf_ply_type_size(type);

	if (element->kind == MF_PLY_FACES)
	{
		if (type == MF_PLY_INT32 && !big)
			return read_face(ply, ply->at, count, MF_PLY_INT32, false, row);
		return read_face(ply, ply->at, count, type, big, row);
	}
	ply->strip_length = 0;
	for (uint64_t i = 0; i < count; i++)
		if (!mf_ply_add_strip_corner(ply, load_integer(ply->at + i * size,
													   type, big), row))
			return false;
	return true;
}

/* Reads a row, or passes it by. */
static bool
read_row(MfPly *ply, const MfPlyElement *element, uint64_t row, bool pass_by)
{
	const bool	big = ply->encoding == MF_PLY_BIG_ENDIAN;

	for (uint32_t i = 0; i < element->properties; i++)
	{
		const MfPlyProperty *p = &ply->property[element->first + i];
		const uint32_t size = mf_ply_type_size(p->type);
		const uint32_t before = mf_ply_type_size(p->count_type);
		uint64_t	left = ply->end - ply->at;
		uint64_t	count = 1;

		if (before > 0)
		{
			int64_t		said;

			if (left < before)
				return mf_ply_refuse_end(ply, element, row);
			said = load_integer(ply->at, p->count_type, big);
			if (said < 0)
			{
				mf_refuse(ply->job->refusal, MF_ERROR_MALFORMED,
						  "Row %llu of the element \"%.*s\" has a list of "
						  "%lld numbers.", (unsigned long long) row,
						  mf_text_shown(element->name_length), element->name,
						  (long long) said);
				return false;
			}
			ply->at += before;
			left -= before;
			count = (uint64_t) said;
		}
		if (left / size < count)
			return mf_ply_refuse_end(ply, element, row);
		if (pass_by || p->role == MF_PLY_NOTHING)
			;
		else if (p->role == MF_PLY_CORNERS)
		{
			if (!read_corners(ply, element, count, p->type, row))
				return false;
		}
		else
		{
			const double at = load_real(ply->at, p->type, big);

			if (!isfinite(at))
				return refuse_vertex(ply, row);
			ply->mesh->wide_at[row][p->role] = at;
		}
		ply->at += count * size;
	}
	return true;
}

/* Reads the rows of an element; see ply.h. */
bool
mf_ply_read_binary(MfPly *ply, const MfPlyElement *element, bool pass_by)
{
	/* The least bytes of all rows are there: mf_ply_read has checked. */
	if (element->properties == 0)
		return true;
	if (!element->lists && element->kind == MF_PLY_VERTICES && !pass_by)
		return read_vertices(ply, element);
	if (!element->lists)
	{
		ply->at += element->count * element->least_bytes;
		return true;
	}
	for (uint64_t row = 0; row < element->count; row++)
	{
		if (row % MF_PROGRESS_ITEMS == 0)
			mf_job_progress(ply->job, MF_STAGE_READING,
							ply->at - ply->job->bytes, ply->job->size);
		if (!read_row(ply, element, row, pass_by))
			return false;
	}
	return true;
}
