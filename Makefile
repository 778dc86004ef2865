# mesflow: one module, its programs, one install script.
#
#	make, make install		build and install, for real
#	make help				everything else, in words
#
# Products go to build/, except the two that PGXS wants elsewhere:
# mesflow.so and sql/mesflow--VERSION.sql.

# The newest PostgreSQL whose server headers are here.  Debian's own
# /usr/bin/pg_config is a wrapper that may point to another one.
PG_CONFIG ?= $(firstword $(shell ls -1vr /usr/lib/postgresql/*/bin/pg_config \
	2>/dev/null) pg_config)
export PG_CONFIG

# In a checkout a warning is an error.  A release archive builds with
# whatever compiler there is.
WERROR ?= $(if $(wildcard .git),-Werror)

# The last lines of some commands are read by programs.
MAKEFLAGS += --no-print-directory

EXTENSION = mesflow
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" \
	mesflow.control)

# ---- the module ---------------------------------------------------------

MODULE_big = mesflow
MODULE_FOLDERS = src src/worker src/outbox src/order src/price src/pricing \
	src/delivery src/work src/dashboard src/api src/machine src/frame
MODULE_SOURCES := $(sort $(wildcard $(addsuffix /*.c,$(MODULE_FOLDERS))))
OBJS = $(MODULE_SOURCES:%.c=build/module/%.o)

WARNINGS = -Wall -Wextra -Wmissing-prototypes -Wdeclaration-after-statement \
	$(WERROR)

# A callback's arguments are what its caller passes, used or not.
PG_CFLAGS = $(WARNINGS) -Wno-unused-parameter
PG_CPPFLAGS = -Isrc -DMF_VERSION='"$(EXTVERSION)"' \
	-DMF_PROGRAMS_FROM_LIB='"$(PROGRAMS_FROM_LIB)"'

# Where the programs are, seen from the module: it finds them from its own
# place on disk, so that a staged or moved installation works.
PROGRAMS_FROM_LIB = $(shell realpath -m \
	--relative-to='$(shell $(PG_CONFIG) --pkglibdir)' \
	'$(shell $(PG_CONFIG) --bindir)')

# Nothing in the module gains from being inlined by the executor's JIT, and
# bitcode would tie the build to one version of clang.
override with_llvm = no

# ---- the install script -------------------------------------------------

SQL_PARTS := $(sort $(wildcard sql/mesflow/*.sql))
SQL_SCRIPT = sql/mesflow--$(EXTVERSION).sql
DATA_built = $(SQL_SCRIPT)
DATA = $(wildcard sql/mesflow--*--*.sql)

EXTRA_CLEAN = build

# Goals that are scripts: they bring the packages that they need.
COMMANDS = packages demo demo-stop test cluster cluster-stop matrix bench fuzz \
	indent help
BUILDING := $(filter-out $(COMMANDS) clean,$(or $(MAKECMDGOALS),all))

PGXS := $(shell command -v $(PG_CONFIG) >/dev/null && $(PG_CONFIG) --pgxs)
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
else
ifneq ($(BUILDING),)
$(error no server headers of PostgreSQL here: run "make packages", or say PG_CONFIG=/path/to/pg_config)
endif
clean:
	rm -rf $(EXTRA_CLEAN) mesflow.so $(SQL_SCRIPT)
endif

# Private servers that "make cluster" and "make demo" left running live below
# build/: they end before it goes.
clean: stop-servers
stop-servers:
	@tools/cluster stop-all

# ---- objects ------------------------------------------------------------

# Everything that decides how an object comes out, besides its source and
# headers: where it differs from the last time, all is built again.
ifneq ($(BUILDING),)
BUILT_WITH := $(shell $(PG_CONFIG) --version 2>/dev/null) | $(CC) $(CFLAGS) \
	$(CPPFLAGS) | $(LDFLAGS) | $(PROGRAMS_FROM_LIB) | $(EXTVERSION) | \
	$(SQL_PARTS) | $(MODULE_SOURCES)
ifneq ($(strip $(BUILT_WITH)),$(strip $(file <build/built-with)))
$(shell mkdir -p build)
$(file >build/built-with,$(BUILT_WITH))
endif
endif

# No contraction of floating-point expressions: the same price on every
# processor.
build/module/src/machine/%.o: override CFLAGS += -ffp-contract=off

build/module/%.o: %.c build/built-with
	@$(MKDIR_P) $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# Programs never see PostgreSQL: flags of their own.  No contraction of
# floating-point expressions: the same bits on every processor.
PROGRAM_CFLAGS = -std=gnu11 -O2 -g -fPIE -pthread -ffp-contract=off \
	-fno-strict-aliasing -fstack-protector-strong -Wformat -Wshadow=local \
	$(WARNINGS)
PROGRAM_CPPFLAGS = -Isrc -DMF_VERSION='"$(EXTVERSION)"' \
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
PROGRAM_LDFLAGS = -pie -pthread -Wl,-z,relro -Wl,-z,now -Wl,--as-needed

build/program/%.o: %.c build/built-with
	@$(MKDIR_P) $(@D)
	$(CC) $(PROGRAM_CFLAGS) $(PROGRAM_CPPFLAGS) -MMD -MP -c -o $@ $<

# ---- programs -----------------------------------------------------------

GEOMETRY_SOURCES := $(wildcard src/programs/geometry_*.c \
	src/programs/command.c src/programs/sandbox.c src/frame/*.c src/geometry/*.c)
GEOMETRY_OBJS = $(GEOMETRY_SOURCES:%.c=build/program/%.o)

ifneq ($(wildcard src/programs/geometry_main.c),)
PROGRAMS += build/mesflow-geometry
endif

# The libraries that read models and write pictures are for this program
# alone, too.
GEOMETRY_LIBS = -lexpat -ldeflate -lpng -lseccomp -lm

build/mesflow-geometry: $(GEOMETRY_OBJS)
	$(CC) $(PROGRAM_CFLAGS) -o $@ $(GEOMETRY_OBJS) $(PROGRAM_LDFLAGS) \
		$(GEOMETRY_LIBS)

SENDER_SOURCES := $(wildcard src/programs/sender_*.c src/programs/command.c \
	src/frame/*.c src/net/*.c)
SENDER_OBJS = $(SENDER_SOURCES:%.c=build/program/%.o)

ifneq ($(wildcard src/programs/sender_main.c),)
PROGRAMS += build/mesflow-sender
endif

# libcurl, c-ares and OpenSSL are for this program alone: no process of the
# server's has them in its memory.
SENDER_LIBS = -lcurl -lcares -lcrypto -lm

build/mesflow-sender: $(SENDER_OBJS)
	$(CC) $(PROGRAM_CFLAGS) -o $@ $(SENDER_OBJS) $(PROGRAM_LDFLAGS) \
		$(SENDER_LIBS)

all: $(PROGRAMS)

install: install-programs
install-programs: $(PROGRAMS)
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(if $(PROGRAMS),$(INSTALL_PROGRAM) $(PROGRAMS) '$(DESTDIR)$(bindir)/')

uninstall: uninstall-programs
uninstall-programs:
	rm -f $(foreach p,$(notdir $(PROGRAMS)),'$(DESTDIR)$(bindir)/$(p)')

-include $(OBJS:.o=.d) $(GEOMETRY_OBJS:.o=.d) $(SENDER_OBJS:.o=.d)

$(SQL_SCRIPT): $(SQL_PARTS) build/built-with
	cat $(SQL_PARTS) >$@.new
	mv $@.new $@

include test/unit.mk
include test/fuzz.mk

# ---- commands -----------------------------------------------------------

# Where a command keeps its server, and the port that server listens on.
DIR ?= build/cluster
PORT ?= auto

.PHONY: $(COMMANDS) stop-servers install-programs uninstall-programs

packages:
	@tools/packages build

demo:
	@tools/demo start

demo-stop:
	@tools/demo stop

test:
	@tools/run-tests

cluster:
	@tools/cluster start '$(DIR)' '$(PORT)'

cluster-stop:
	@tools/cluster stop '$(DIR)'

matrix:
	@tools/matrix

bench:
	@tools/bench

fuzz:
	@tools/fuzz

indent:
	@tools/indent

help:
	@tools/help
