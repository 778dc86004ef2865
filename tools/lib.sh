# What the scripts here share; sourced, not run.  bash.
#
# Two people work in every script: the caller, who builds, and the ordinary
# user, who runs servers, because initdb refuses root.  For a caller who is
# not root they are the same; for root the ordinary user is postgres, who may
# be unable to see the checkout.  So whatever a server needs is staged in a
# folder of its own, and nothing of the system is written.

set -euo pipefail
umask 022

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export LC_ALL=C.UTF-8
unset MAKEFLAGS MFLAGS MAKELEVEL MAKE_TERMOUT MAKE_TERMERR
unset PGDATA PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGSERVICE PGOPTIONS

say()
{
	printf '%s\n' "$*" >&2
}

die()
{
	say "$(basename "$0"): $*"
	exit 1
}

# A path that needs no quoting: in a connection string, a configuration file,
# a shell.
plain_path()
{
	[[ $1 =~ ^/[A-Za-z0-9/._+-]*$ ]]
}

# ---- PostgreSQL ---------------------------------------------------------

# The pg_config of the newest PostgreSQL whose server headers are here, or
# nothing.
newest_pg_config()
{
	local file found=

	while read -r file; do
		[ ! -x "$file" ] || found=$file
	done < <(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -V)
	printf '%s\n' "$found"
}

# Sets PG_CONFIG, PG_MAJOR, PG_BIN, PG_LIB, PG_SHARE, PG_TOOLS (the folder
# with pg_regress and the Perl modules).  Call it after the packages are in.
find_postgres()
{
	local newest

	# A bare name is Debian's wrapper, or was set before there was any.
	if [ "${PG_CONFIG:-pg_config}" = pg_config ]; then
		newest=$(newest_pg_config)
		PG_CONFIG=${newest:-pg_config}
	fi
	command -v "$PG_CONFIG" >/dev/null || die "there is no $PG_CONFIG"
	export PG_CONFIG
	PG_MAJOR=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	PG_BIN=$("$PG_CONFIG" --bindir)
	PG_LIB=$("$PG_CONFIG" --pkglibdir)
	PG_SHARE=$("$PG_CONFIG" --sharedir)
	PG_TOOLS=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
}

# make, apart from a make that may have called us.
run_make()
{
	make --no-print-directory -C "$TOP" PG_CONFIG="$PG_CONFIG" \
		${CC:+CC="$CC"} ${WERROR+WERROR="$WERROR"} "$@"
}

# ---- the ordinary user --------------------------------------------------

if [ "$(id -u)" = 0 ]; then
	ORDINARY_USER=postgres
else
	ORDINARY_USER=$(id -un)
fi

# as_user command ...: as the ordinary user, in a folder that he can see.
as_user()
{
	if [ "$(id -u)" = 0 ]; then
		(cd / && exec runuser -u "$ORDINARY_USER" -- \
			env HOME=/nonexistent TMPDIR=/tmp "$@")
	else
		(cd / && exec "$@")
	fi
}

# A new folder that everybody can look into; prints its path.
new_place()
{
	local place

	place=$(mktemp -d "${1:-/tmp}/mesflow-XXXXXX")
	chmod 755 "$place"
	printf '%s\n' "$place"
}

# A folder that belongs to the ordinary user alone.
user_folder()
{
	mkdir -p "$1"
	chmod 700 "$1"
	if [ "$(id -u)" = 0 ]; then
		chown "$ORDINARY_USER:" "$1"
	fi
}

# ---- servers ------------------------------------------------------------

# stage STAGE: builds, and installs below STAGE instead of into the system.
stage()
{
	run_make -s -j2 all >&2 &&
		run_make -s install DESTDIR="$1" >&2
}

# The settings with which a server finds what is installed below STAGE.
stage_settings()
{
	if [ "$PG_MAJOR" -ge 18 ]; then
		echo "extension_control_path = '$1$PG_SHARE:\$system'"
	else
		# Debian's own setting; before 18 there is no other.
		echo "extension_destdir = '$1'"
	fi
	echo "dynamic_library_path = '$1$PG_LIB:\$libdir'"
}

# server_make DATA SOCKETS PORT: a new data directory, reachable through the
# socket in the folder SOCKETS, which must be closed to others: who gets in
# there is trusted.  Over TCP, on loopback only, a password is asked for, and
# nobody has one.  Further settings come from standard input.
server_make()
{
	local data=$1 sockets=$2 port=$3

	user_folder "$data"
	user_folder "$sockets"
	as_user "$PG_BIN/initdb" -D "$data" -U postgres -E UTF8 \
		--locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 \
		--no-sync --no-instructions >/dev/null
	{
		echo "listen_addresses = '127.0.0.1'"
		echo "port = $port"
		echo "unix_socket_directories = '$sockets'"
		echo "logging_collector = off"
		echo "log_line_prefix = '%m [%p] %b %q%a '"
		cat
	} | as_user sh -c 'cat >>"$1/postgresql.conf"' sh "$data"
}

# server_database DATA NAME: makes a database before the first start, so that
# workers that are bound to it find it.
server_database()
{
	echo "CREATE DATABASE $2" | as_user "$PG_BIN/postgres" --single \
		-c shared_preload_libraries= \
		-c log_checkpoints=off -D "$1" postgres >/dev/null
}

# server_start DATA LOG: waits until it answers.
server_start()
{
	as_user "$PG_BIN/pg_ctl" -D "$1" -l "$2" -w -t 120 -s start >&2 || {
		as_user tail -n 20 "$2" >&2 || true
		return 1
	}
}

server_running()
{
	[ -d "$1" ] && as_user "$PG_BIN/pg_ctl" -D "$1" status >/dev/null 2>&1
}

# server_stop DATA [MODE]: harmless where none runs.
server_stop()
{
	if server_running "$1"; then
		as_user "$PG_BIN/pg_ctl" -D "$1" -m "${2:-fast}" -w -t 120 -s \
			stop >&2
	fi
}

# Ends every server whose data lies below a folder, whoever started it.
servers_stop_below()
{
	local pidfile

	while read -r pidfile; do
		server_stop "$(dirname "$pidfile")" immediate 2>/dev/null || true
	done < <(find "$1" -name postmaster.pid 2>/dev/null)
}

# A port that nobody listens on, below the range that the kernel hands out.
# Somebody may still take it before we do: who cares, tries again.
free_port()
{
	local port

	while :; do
		port=$((20000 + RANDOM % 10000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			printf '%s\n' "$port"
			return
		fi
	done
}

# What a server that was killed from inside leaves in its log.
server_log_alarms()
{
	as_user grep -E 'PANIC:|TRAP:|was terminated by signal|server process .* exited with exit code' "$1" || true
}
