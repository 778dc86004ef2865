/*
 * bytes.c
 *		Reading and writing the fields of frames; see bytes.h.
 */
#include "bytes.h"

#include <string.h>

void
mf_put_bytes(MfWriter *out, uint64_t value, int bytes)
{
	if (out->end - out->at < bytes)
		out->bad = true;
	for (int i = 0; i < bytes && !out->bad; i++)
		*out->at++ = (uint8_t) (value >> (8 * i));
}

void
mf_put_small(MfWriter *out, unsigned int value)
{
	if (value > UINT8_MAX)
		out->bad = true;
	mf_put_bytes(out, value, 1);
}

void
mf_put_string(MfWriter *out, const char *string, size_t size)
{
	size_t		length = strnlen(string, size);

	if (length == size)
		out->bad = true;
	mf_put_bytes(out, length, 2);
	for (size_t i = 0; i < length && !out->bad; i++)
		mf_put_bytes(out, (unsigned char) string[i], 1);
}

void
mf_put_block(MfWriter *out, const void *data, size_t length)
{
	if (length > UINT32_MAX)
		out->bad = true;
	mf_put_bytes(out, length, 4);
	if (out->bad || (size_t) (out->end - out->at) < length)
	{
		out->bad = true;
		return;
	}
	if (length > 0)
		memcpy(out->at, data, length);
	out->at += length;
}

uint64_t
mf_get_bytes(MfReader *in, int bytes)
{
	uint64_t	value = 0;

	mf_require(in, in->end - in->at >= bytes, "the frame is too short");
	if (in->why != NULL)
		return 0;
	for (int i = 0; i < bytes; i++)
		value |= (uint64_t) *in->at++ << (8 * i);
	return value;
}

uint32_t
mf_get_u32(MfReader *in)
{
	return (uint32_t) mf_get_bytes(in, 4);
}

unsigned int
mf_get_small(MfReader *in, unsigned int first, unsigned int last,
			 const char *why)
{
	unsigned int value = (unsigned int) mf_get_bytes(in, 1);

	mf_require(in, value >= first && value <= last, why);
	return in->why == NULL ? value : first;
}

bool
mf_get_bool(MfReader *in)
{
	return mf_get_small(in, 0, 1, "a boolean is neither 0 nor 1") != 0;
}

void
mf_get_string(MfReader *in, char *string, size_t size)
{
	size_t		length = (size_t) mf_get_bytes(in, 2);

	mf_require(in, length < size, "a string is too long");
	for (size_t i = 0; i < length && in->why == NULL; i++)
	{
		unsigned int character = (unsigned int) mf_get_bytes(in, 1);

		mf_require(in, character >= 0x20 && character < 0x7f,
				   "a string is not printable ASCII");
		string[i] = (char) character;
	}
	string[in->why == NULL ? length : 0] = '\0';
}

const char *
mf_get_block(MfReader *in, size_t most, const char *why, size_t *length)
{
	const char *data;

	*length = (size_t) mf_get_bytes(in, 4);
	mf_require(in, *length <= most, why);
	mf_require(in, *length <= (size_t) (in->end - in->at),
			   "the frame is too short");
	if (in->why != NULL)
		*length = 0;
	data = (const char *) in->at;
	in->at += *length;
	return data;
}
