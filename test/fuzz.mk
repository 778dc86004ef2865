# The fuzzers: one program for each target of test/fuzz/targets.c, and one
# that counts which lines they reach.
#
#	make fuzz-programs		builds them below build/fuzz/
#
# `make fuzz` (tools/fuzz) builds and runs them.

FUZZ_TARGETS := $(shell sed -n 's/^	{"\([a-z0-9_]*\)", fuzz_.*/\1/p' \
	test/fuzz/targets.c)
FUZZ_CC ?= clang
FUZZ_FLAGS = -std=gnu11 -g -O1 -fno-omit-frame-pointer -pthread \
	-ffp-contract=off -fno-strict-aliasing $(WARNINGS) \
	-fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_SOURCES := $(wildcard src/geometry/*.c src/frame/*.c) \
	$(filter-out $(wildcard test/fuzz/test_*.c),$(wildcard test/fuzz/*.c))
FUZZ_OBJS = $(FUZZ_SOURCES:%.c=build/fuzz/objects/%.o)
FUZZ_PROGRAMS = $(FUZZ_TARGETS:%=build/fuzz/%)

build/fuzz/objects/%.o: %.c build/built-with test/fuzz.mk
	@$(MKDIR_P) $(@D)
	$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link $(UNIT_CPPFLAGS) \
		-MMD -MP -c -o $@ $<

$(FUZZ_PROGRAMS): build/fuzz/%: test/fuzz/libfuzzer/fuzzer.c $(FUZZ_OBJS)
	$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer $(UNIT_CPPFLAGS) \
		-DFUZZ_TARGET=fuzz_$* -o $@ $^ $(GEOMETRY_LIBS)

# Counts lines: the replay of a corpus, built for gcov.
COVERED_SOURCES = $(FUZZ_SOURCES) test/fuzz/test_found.c
COVERED_OBJS = $(COVERED_SOURCES:%.c=build/fuzz/covered/%.o)

build/fuzz/covered/%.o: %.c build/built-with test/fuzz.mk
	@$(MKDIR_P) $(@D)
	gcc -std=gnu11 -g -O0 --coverage -pthread $(UNIT_CPPFLAGS) \
		-MMD -MP -c -o $@ $<

build/fuzz/covered/replay: $(COVERED_OBJS)
	gcc --coverage -pthread -o $@ $^ $(GEOMETRY_LIBS)

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ_PROGRAMS) build/fuzz/covered/replay

.SECONDARY: $(FUZZ_OBJS) $(COVERED_OBJS)

-include $(FUZZ_OBJS:.o=.d) $(COVERED_OBJS:.o=.d)
