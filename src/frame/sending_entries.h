/*
 * sending_entries.h
 *		The entries of frames as bytes, and the rules they obey.  Private to
 *		src/frame, its tests, and the program that asks for a person.
 *
 * Integers are little-endian; enums and booleans one byte; blocks of bytes
 * have their length, in four bytes, before them.  The header of every frame:
 *
 *		offset	bytes
 *		0		4		magic, "MFsn"
 *		4		4		protocol version
 *		8		4		type
 *		12		4		length of the frame, this header included
 *		16		4		number of entries
 *
 * There is one set of rules: whoever adds an entry checks it by them, and
 * whoever receives one checks it again.
 */
#ifndef MF_SENDING_ENTRIES_H
#define MF_SENDING_ENTRIES_H

#include "bytes.h"
#include "sending.h"

#define MF_SENDING_MAGIC	UINT32_C(0x6e73464d)	/* "MFsn" */
#define MF_SENDING_HEADER	20

/* Bounds of the fields. */
#define MF_SENDING_URL			8192
#define MF_SENDING_HEADERS		(32 * 1024)
#define MF_SENDING_HEADER_LINES 100
#define MF_SENDING_CREDENTIAL	(16 * 1024)
#define MF_SENDING_PEM			(32 * 1024) /* parsed for each connection */
#define MF_SENDING_LIST			(1024 * 1024)
#define MF_SENDING_MS			(24 * 60 * 60 * 1000)
#define MF_SENDING_REDIRECTS	20
#define MF_SENDING_SECRET_MIN	24
#define MF_SENDING_SECRET_MAX	64
#define MF_SENDING_ID			256
#define MF_SENDING_CONTENT_TYPE 256
#define MF_SENDING_BODY			(MF_SENDING_MAX - 64 * 1024)
#define MF_SENDING_RETRY_AFTER	(365 * 24 * 60 * 60)

/* NULL: it obeys the rules; else what is wrong. */
extern const char *mf_sending_check_target(const MfTarget *target);
extern const char *mf_sending_check_request(const MfRequest *request);
extern const char *mf_sending_check_outcome(const MfOutcome *outcome);

/* How many bytes an entry takes. */
extern size_t mf_sending_size_target(const MfTarget *target);
extern size_t mf_sending_size_request(const MfRequest *request);
extern size_t mf_sending_size_outcome(const MfOutcome *outcome);

/* As bytes; what is checked is not checked again. */
extern void mf_sending_put_hello(MfWriter *out, const MfSenderHello *hello);
extern void mf_sending_put_target(MfWriter *out, const MfTarget *target);
extern void mf_sending_put_request(MfWriter *out, const MfRequest *request);
extern void mf_sending_put_outcome(MfWriter *out, const MfOutcome *outcome);

#endif							/* MF_SENDING_ENTRIES_H */
