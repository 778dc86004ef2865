# The C unit tests: programs that print TAP, one of each test_*.c, beside the
# probes (helper programs) that some of them start.
#
#	make unit-programs		builds them below build/unit/
#
# They run under the address and undefined-behaviour sanitizers, except where
# the source says "build: nosan" in a comment of its own: what limits its own
# address space cannot bring a shadow memory along.  The objects of those are
# the ones the real programs are made of.
#
# In a folder, sources named neither test_* nor probe* are linked into all.

UNIT_CC ?= $(or $(shell command -v clang),$(CC))
UNIT_CFLAGS = -std=gnu11 -g -O1 -fno-omit-frame-pointer -pthread \
	-ffp-contract=off -fno-strict-aliasing $(WARNINGS)
UNIT_CPPFLAGS = -Isrc -Itest -DMF_VERSION='"$(EXTVERSION)"'
UNIT_SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all

UNIT_LIB_geometry := $(wildcard src/geometry/*.c src/frame/*.c)
UNIT_LIB_frame := $(wildcard src/frame/*.c src/programs/sandbox.c src/geometry/pool.c)
UNIT_LIB_net := $(wildcard src/net/*.c src/frame/*.c) test/frame/tap.c
UNIT_LIB_fuzz := $(UNIT_LIB_geometry)
UNIT_LIB_machine := $(wildcard src/machine/*.c)
UNIT_FOLDERS = geometry frame machine net fuzz

# The libraries that each folder's programs need.
UNIT_LIBS_geometry = $(GEOMETRY_LIBS)
UNIT_LIBS_fuzz = $(GEOMETRY_LIBS)
UNIT_LIBS_frame = -lm -lseccomp
UNIT_LIBS_machine = -lm
UNIT_LIBS_net = $(SENDER_LIBS)

build/unit/sanitized/%.o: %.c build/built-with test/unit.mk
	@$(MKDIR_P) $(@D)
	$(UNIT_CC) $(UNIT_CFLAGS) $(UNIT_SANITIZE) $(UNIT_CPPFLAGS) -MMD -MP \
		-c -o $@ $<

build/unit/plain/%.o: %.c build/built-with test/unit.mk
	@$(MKDIR_P) $(@D)
	$(CC) $(PROGRAM_CFLAGS) $(PROGRAM_CPPFLAGS) -Itest -MMD -MP -c -o $@ $<

# $(call unit_folder,FOLDER)
define unit_folder
UNIT_MAINS_$(1) := $$(wildcard test/$(1)/test_*.c test/$(1)/probe*.c)
UNIT_PLAIN_$(1) := $$(if $$(UNIT_MAINS_$(1)),$$(shell \
	grep -l '^/\* build: nosan \*/' $$(UNIT_MAINS_$(1))))
UNIT_COMMON_$(1) := $$(filter-out $$(UNIT_MAINS_$(1)),$$(wildcard test/$(1)/*.c))
UNIT_SANITIZED_$(1) := $$(filter-out $$(UNIT_PLAIN_$(1)),$$(UNIT_MAINS_$(1)))
UNIT_PROGRAMS += $$(UNIT_MAINS_$(1):test/%.c=build/unit/%)
UNIT_OBJS += $$(UNIT_LIB_$(1):%.c=build/unit/sanitized/%.o) \
	$$(UNIT_COMMON_$(1):%.c=build/unit/sanitized/%.o) \
	$$(UNIT_SANITIZED_$(1):%.c=build/unit/sanitized/%.o) \
	$$(UNIT_COMMON_$(1):%.c=build/unit/plain/%.o) \
	$$(UNIT_PLAIN_$(1):%.c=build/unit/plain/%.o) \
	$$(UNIT_LIB_$(1):%.c=build/program/%.o)

$$(UNIT_SANITIZED_$(1):test/%.c=build/unit/%): build/unit/%: \
		build/unit/sanitized/test/%.o \
		$$(UNIT_COMMON_$(1):%.c=build/unit/sanitized/%.o) \
		$$(UNIT_LIB_$(1):%.c=build/unit/sanitized/%.o)
	@$$(MKDIR_P) $$(@D)
	$$(UNIT_CC) $$(UNIT_SANITIZE) -pthread -o $$@ $$^ $$(UNIT_LIBS_$(1))

$$(UNIT_PLAIN_$(1):test/%.c=build/unit/%): build/unit/%: \
		build/unit/plain/test/%.o \
		$$(UNIT_COMMON_$(1):%.c=build/unit/plain/%.o) \
		$$(UNIT_LIB_$(1):%.c=build/program/%.o)
	@$$(MKDIR_P) $$(@D)
	$$(CC) -o $$@ $$^ $$(PROGRAM_LDFLAGS) $$(UNIT_LIBS_$(1))
endef
$(foreach folder,$(UNIT_FOLDERS),$(eval $(call unit_folder,$(folder))))

.PHONY: unit-programs
unit-programs: $(UNIT_PROGRAMS)

.SECONDARY: $(UNIT_OBJS)

-include $(patsubst %.o,%.d,$(UNIT_OBJS))
