/*
 * fuzzer.c
 *		libFuzzer's way in; the target is chosen when it is compiled.
 */
#include "../targets.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	return FUZZ_TARGET(bytes, size);
}
