/*
 * sending_entries.c
 *		The entries of frames: written, and read by somebody who believes
 *		nothing.  See sending_entries.h.
 */
#include "sending_entries.h"

#include <string.h>

/* Bytes before each block, and of what is no block. */
#define BLOCK_LENGTH	4
#define TARGET_BLOCKS	9
#define TARGET_FIXED	(4 + 3 * 4 + 1 + TARGET_BLOCKS * BLOCK_LENGTH)
#define REQUEST_BLOCKS	4
#define REQUEST_FIXED	(8 + 4 + REQUEST_BLOCKS * BLOCK_LENGTH)
#define OUTCOME_FIXED	(8 + 1 + 2 + 4 + 4 + 1 + 2 + BLOCK_LENGTH)

/* ---- writing ------------------------------------------------------------ */

static void
put(MfWriter *out, MfBytes bytes)
{
	mf_put_block(out, bytes.data, bytes.length);
}

void
mf_sending_put_hello(MfWriter *out, const MfSenderHello *hello)
{
	mf_put_bytes(out, hello->protocol, 4);
	mf_put_bytes(out, hello->slots, 4);
	mf_put_string(out, hello->version, sizeof(hello->version));
	mf_put_string(out, hello->libraries, sizeof(hello->libraries));
}

size_t
mf_sending_size_target(const MfTarget *target)
{
	size_t		size = TARGET_FIXED + target->url.length +
	target->headers.length + target->user_password.length +
	target->bearer.length + target->ca.length +
	target->client_cert.length + target->client_key.length +
	target->allowed_by_server.length +
	target->allowed_by_endpoint.length;

	for (uint32_t i = 0; i < target->secret_count; i++)
		size += BLOCK_LENGTH + target->secrets[i].length;
	return size;
}

void
mf_sending_put_target(MfWriter *out, const MfTarget *target)
{
	mf_put_bytes(out, target->number, 4);
	put(out, target->url);
	put(out, target->headers);
	put(out, target->user_password);
	put(out, target->bearer);
	put(out, target->ca);
	put(out, target->client_cert);
	put(out, target->client_key);
	put(out, target->allowed_by_server);
	put(out, target->allowed_by_endpoint);
	mf_put_bytes(out, target->timeout_ms, 4);
	mf_put_bytes(out, target->connect_timeout_ms, 4);
	mf_put_bytes(out, target->redirects, 4);
	mf_put_small(out, target->secret_count);
	for (uint32_t i = 0; i < target->secret_count; i++)
		put(out, target->secrets[i]);
}

size_t
mf_sending_size_request(const MfRequest *request)
{
	return REQUEST_FIXED + request->id.length + request->content_type.length +
		request->headers.length + request->body.length;
}

void
mf_sending_put_request(MfWriter *out, const MfRequest *request)
{
	mf_put_bytes(out, request->tag, 8);
	mf_put_bytes(out, request->target, 4);
	put(out, request->id);
	put(out, request->content_type);
	put(out, request->headers);
	put(out, request->body);
}

size_t
mf_sending_size_outcome(const MfOutcome *outcome)
{
	return OUTCOME_FIXED + strlen(outcome->error) + outcome->response_length;
}

void
mf_sending_put_outcome(MfWriter *out, const MfOutcome *outcome)
{
	mf_put_bytes(out, outcome->tag, 8);
	mf_put_small(out, outcome->kind);
	mf_put_bytes(out, outcome->status, 2);
	mf_put_bytes(out, outcome->duration_us, 4);
	mf_put_bytes(out, (uint32_t) outcome->retry_after_s, 4);
	mf_put_small(out, outcome->reused);
	mf_put_string(out, outcome->error, sizeof(outcome->error));
	mf_put_block(out, outcome->response, outcome->response_length);
}

/* ---- reading ------------------------------------------------------------ */

/* The rules have their own, tighter bounds; those are for later. */
static MfBytes
get(MfReader *in)
{
	MfBytes		bytes;

	bytes.data = mf_get_block(in, MF_SENDING_MAX, "a field is too long",
							  &bytes.length);
	return bytes;
}

/*
 * Begins to take an entry.  MF_FRAME_NOTHING: there is none.
 */
static MfFrameStatus
begin(MfReceived *received, MfSendingType type, MfReader *in)
{
	in->at = received->at;
	in->end = received->end;
	in->why = NULL;
	if (received->count == 0)
		return MF_FRAME_NOTHING;
	mf_require(in, received->type == type, "the frame is of another type");
	return MF_FRAME_GOT;
}

/*
 * Ends it: after the last one, nothing may be left.  After something wrong
 * there is no next one.
 */
static MfFrameStatus
finish(MfReceived *received, MfReader *in, const char *broken, const char **why)
{
	mf_require(in, broken == NULL, broken);
	mf_require(in, received->count != 1 || in->at == in->end,
			   "the frame is too long");
	if (in->why != NULL)
	{
		if (why != NULL)
			*why = in->why;
		received->at = received->end;
		return MF_FRAME_BAD;
	}
	received->at = in->at;
	received->count--;
	return MF_FRAME_GOT;
}

MfFrameStatus
mf_received_hello(MfReceived *received, MfSenderHello *hello, const char **why)
{
	MfReader	in;

	if (begin(received, MF_SENDING_HELLO, &in) == MF_FRAME_NOTHING)
		return MF_FRAME_NOTHING;
	memset(hello, 0, sizeof(*hello));
	hello->protocol = mf_get_u32(&in);
	mf_require(&in, hello->protocol == MF_SENDING_PROTOCOL,
			   "the program speaks another protocol");
	hello->slots = mf_get_u32(&in);
	mf_require(&in, hello->slots >= 1 && hello->slots <= MF_SENDER_SLOTS,
			   "the number of slots is implausible");
	mf_get_string(&in, hello->version, sizeof(hello->version));
	mf_get_string(&in, hello->libraries, sizeof(hello->libraries));
	return finish(received, &in, NULL, why);
}

MfFrameStatus
mf_received_target(MfReceived *received, MfTarget *target, const char **why)
{
	MfReader	in;

	if (begin(received, MF_SENDING_TARGET, &in) == MF_FRAME_NOTHING)
		return MF_FRAME_NOTHING;
	memset(target, 0, sizeof(*target));
	target->number = mf_get_u32(&in);
	target->url = get(&in);
	target->headers = get(&in);
	target->user_password = get(&in);
	target->bearer = get(&in);
	target->ca = get(&in);
	target->client_cert = get(&in);
	target->client_key = get(&in);
	target->allowed_by_server = get(&in);
	target->allowed_by_endpoint = get(&in);
	target->timeout_ms = mf_get_u32(&in);
	target->connect_timeout_ms = mf_get_u32(&in);
	target->redirects = mf_get_u32(&in);
	target->secret_count = mf_get_small(&in, 0, MF_SENDER_SECRETS,
										"there are too many secrets");
	for (uint32_t i = 0; i < target->secret_count; i++)
		target->secrets[i] = get(&in);
	return finish(received, &in, in.why == NULL ?
				  mf_sending_check_target(target) : NULL, why);
}

MfFrameStatus
mf_received_forget(MfReceived *received, uint32_t *number, const char **why)
{
	MfReader	in;

	if (begin(received, MF_SENDING_FORGET, &in) == MF_FRAME_NOTHING)
		return MF_FRAME_NOTHING;
	*number = mf_get_u32(&in);
	return finish(received, &in, *number < MF_SENDER_TARGETS ? NULL :
				  "the number of the target is too large", why);
}

MfFrameStatus
mf_received_request(MfReceived *received, MfRequest *request,
					const char **why)
{
	MfReader	in;

	if (begin(received, MF_SENDING_SEND, &in) == MF_FRAME_NOTHING)
		return MF_FRAME_NOTHING;
	request->tag = mf_get_bytes(&in, 8);
	request->target = mf_get_u32(&in);
	request->id = get(&in);
	request->content_type = get(&in);
	request->headers = get(&in);
	request->body = get(&in);
	return finish(received, &in, in.why == NULL ?
				  mf_sending_check_request(request) : NULL, why);
}

MfFrameStatus
mf_received_outcome(MfReceived *received, MfOutcome *outcome,
					const char **why)
{
	MfReader	in;
	MfBytes		response;

	if (begin(received, MF_SENDING_SENT, &in) == MF_FRAME_NOTHING)
		return MF_FRAME_NOTHING;
	outcome->tag = mf_get_bytes(&in, 8);
	outcome->kind = (MfOutcomeKind) mf_get_small(&in, 0, MF_OUTCOME_LAST,
												 "the kind of outcome is unknown");
	outcome->status = (uint32_t) mf_get_bytes(&in, 2);
	outcome->duration_us = mf_get_u32(&in);
	outcome->retry_after_s = (int32_t) mf_get_u32(&in);
	outcome->reused = mf_get_bool(&in);
	mf_get_string(&in, outcome->error, sizeof(outcome->error));
	response.data = mf_get_block(&in, MF_SENDER_RESPONSE,
								 "the response is too long",
								 &response.length);
	outcome->response_length = (uint32_t) response.length;
	if (response.length > 0)
		memcpy(outcome->response, response.data, response.length);
	return finish(received, &in, in.why == NULL ?
				  mf_sending_check_outcome(outcome) : NULL, why);
}
