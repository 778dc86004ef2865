/*
 * test_signature.c
 *		Signatures, beside ones that were made by other means.
 */
#include "net/signature.h"

#include "frame/tap.h"

#include <stdlib.h>
#include <string.h>

/*
 * Each signature is what this prints, with the secret's bytes in base64 in K
 * and the signed text in S:
 *
 *		printf %s "$S" | openssl dgst -sha256 -mac HMAC -binary \
 *			-macopt hexkey:$(printf %s "$K" | base64 -d | xxd -p -c 99) | base64
 */
static const char secret_text[] = "0123456789abcdef0123456789abcdef";

static MfBytes
text(const char *from)
{
	MfBytes		bytes = {from, strlen(from)};

	return bytes;
}

int
main(void)
{
	/* base64 -d of MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw9w */
	static const unsigned char known[24] = {
		0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a, 0xab, 0x4f, 0x08, 0xd4,
		0x3c, 0x3f, 0x08, 0x2c, 0xf6, 0x48, 0xa3, 0x62, 0xda, 0x2f, 0x0f, 0x70
	};
	const MfBytes known_secret = {(const char *) known, sizeof(known)};
	MfSigner   *signers[2];
	char		out[2 * MF_SIGNATURE_TEXT];
	char		base64[16];
	char	   *large = calloc(1, 1000000);
	MfBytes		body;

	signers[0] = mf_signer_create(known_secret);
	signers[1] = mf_signer_create(text(secret_text));
	ok(signers[0] != NULL && signers[1] != NULL, "signers are made");

	ok(mf_signature_write(signers, 1, text("msg_p5jXN8AQM9LWM0D4loKWxJek"),
						  "1614265330", text("{\"test\": 2432232314}"), out) &&
	   strcmp(out, "v1,7MS0B3dNuRO/hKe4VWPBVf2uYRXRVQFHivQOVjPNTKY=") == 0,
	   "one signature: %s", out);
	ok(mf_signature_write(signers, 2, text("msg_1"), "1700000000", text("{}"),
						  out) && strcmp(out,
										 "v1,K++YxIEpH3gE/qQijJiWH3kcKFsR+46q41hoJX4ZFtA= "
										 "v1,2c4VI0bO4Wd5svqP2unEA9pCk0dTAXr/elrHCJ+/efk=") == 0,
	   "two signatures, with a space between: %s", out);
	ok(mf_signature_write(signers, 2, text("msg_1"), "1700000000", text("{}"),
						  out) && strcmp(out,
										 "v1,K++YxIEpH3gE/qQijJiWH3kcKFsR+46q41hoJX4ZFtA= "
										 "v1,2c4VI0bO4Wd5svqP2unEA9pCk0dTAXr/elrHCJ+/efk=") == 0,
	   "the same again");
	body.data = NULL;
	body.length = 0;
	ok(mf_signature_write(signers + 1, 1, text("msg_1"), "1700000000", body,
						  out) && strcmp(out, "v1,iKFTj1bDApk/dktaaBRO3DQUPfL6GPO3aJKPm7ENJfI=") == 0,
	   "an empty body: %s", out);
	body.data = large;
	body.length = 1000000;
	ok(mf_signature_write(signers + 1, 1, text("msg_1"), "1700000000", body,
						  out) && strcmp(out, "v1,e4IXftVjVZRu31p9onRzBPbTJ7TWNkNIadyZ7J+ne7E=") == 0,
	   "a million zeros: %s", out);
	ok(mf_signature_write(signers, 0, text("msg_1"), "1", body, out) &&
	   out[0] == '\0', "no secret, no signature");

	mf_base64("user:pw", 7, base64);
	ok(strcmp(base64, "dXNlcjpwdw==") == 0, "base64 with padding");
	mf_signer_free(signers[0]);
	mf_signer_free(signers[1]);
	mf_signer_free(NULL);
	free(large);
	return done_testing();
}
