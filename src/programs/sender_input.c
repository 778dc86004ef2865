/*
 * sender_input.c
 *		What a person gives mesflow-sender; see sender_input.h.
 */
#include "sender_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_PREFIX	"whsec_"

MfBytes
mf_text_bytes(const MfText *text)
{
	return (MfBytes)
	{
		text->bytes, text->length
	};
}

/* Room for so many more bytes. */
static bool
reserve(MfText *text, size_t more)
{
	size_t		room = text->room > 0 ? text->room : 4096;
	char	   *bytes;

	while (room < text->length + more)
		room *= 2;
	if (room == text->room)
		return true;
	bytes = realloc(text->bytes, room);
	if (bytes == NULL)
		return false;
	text->bytes = bytes;
	text->room = room;
	return true;
}

bool
mf_text_add(MfText *text, const void *bytes, size_t length)
{
	if (!reserve(text, length))
		return false;
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	return true;
}

bool
mf_text_add_line(MfText *text, const char *line)
{
	return mf_text_add(text, line, strlen(line)) && mf_text_add(text, "\n", 1);
}

bool
mf_input_file(const char *file, MfText *text)
{
	const int	fd = strcmp(file, "-") == 0 ? STDIN_FILENO :
	open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t		got = fd < 0 ? -1 : 1;

	text->length = 0;
	while (got > 0)
	{
		if (text->length > MF_SENDING_MAX)
			errno = EFBIG;
		got = text->length <= MF_SENDING_MAX && reserve(text, 65536) ?
			read(fd, text->bytes + text->length, 65536) : -1;
		if (got > 0)
			text->length += (size_t) got;
		else if (got < 0 && errno == EINTR)
			got = 1;
	}
	if (fd > STDIN_FILENO)
		close(fd);
	return got == 0;
}

bool
mf_input_list(const char *list, MfText *lines)
{
	while (*list != '\0')
	{
		const size_t length = strcspn(list, ",");

		if (!mf_text_add(lines, list, length) || !mf_text_add(lines, "\n", 1))
			return false;
		list += length;
		list += *list == ',';
	}
	return true;
}

static int
base64_value(char c)
{
	static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	return at == NULL ? -1 : (int) (at - alphabet);
}

/* Base64 (RFC 4648, section 4), with its padding and nothing beside it. */
bool
mf_input_secret(const char *shown, MfText *secret)
{
	const size_t prefix = strlen(SECRET_PREFIX);
	size_t		length;
	size_t		padding = 0;

	if (strncmp(shown, SECRET_PREFIX, prefix) != 0)
		return false;
	shown += prefix;
	length = strlen(shown);
	if (length == 0 || length % 4 != 0)
		return false;
	while (padding < 2 && shown[length - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < length; i += 4)
	{
		uint32_t	bits = 0;
		char		bytes[3];

		for (size_t j = i; j < i + 4; j++)
		{
			const int	value = j >= length - padding ? 0 :
			base64_value(shown[j]);

			if (value < 0)
				return false;
			bits = bits << 6 | (uint32_t) value;
		}
		bytes[0] = (char) (bits >> 16);
		bytes[1] = (char) (bits >> 8);
		bytes[2] = (char) bits;
		if (!mf_text_add(secret, bytes, i + 4 == length ? 3 - padding : 3))
			return false;
	}
	return secret->length >= 24 && secret->length <= 64;
}
