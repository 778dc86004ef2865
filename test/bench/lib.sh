# lib.sh: what benchmarks of the database share: a private server with
#	synchronous commits, a folder for scratch, and pgbench.  Sourced; $bench is
#	the name of the caller.
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/lib.sh"

find_postgres
work=$TOP/build/bench-$bench
scratch=$(new_place)
finish()
{
	"$TOP/tools/cluster" stop "$work" >/dev/null 2>&1 || true
	rm -rf "$scratch"
}
trap finish EXIT

lines=$("$TOP/tools/cluster" start "$work" auto)
place=$(cat "$work/place")
connection=$(sed -n "s/^psql '\(.*\)'$/\1/p" <<<"$lines")

sql()
{
	psql -X -q -At -v ON_ERROR_STOP=1 -d "$connection" "$@"
}

# The middle of numbers on standard input.
median()
{
	sort -n | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}

# ninety_nine: of numbers on standard input, what 99 % of them do not exceed.
ninety_nine()
{
	sort -n | awk '{v[NR] = $1} END {i = int(NR * 0.99); if (i < NR * 0.99) i++; print v[i]}'
}

# percent PART WHOLE
percent()
{
	awk "BEGIN {printf \"%.0f\", 100 * $1 / $2}"
}

# Processor time of the server's processes so far, ended ones included, in ms.
server_cpu()
{
	local postmaster

	postmaster=$(as_user head -n 1 "$place/data/postmaster.pid")
	{ cat /proc/[0-9]*/stat 2>/dev/null || true; } |
		awk -v tick="$(getconf CLK_TCK)" -v top="$postmaster" '
			{ pid = $1; sub(/^.*\) /, ""); if (pid == top) { own = $12 + $13 + $14 + $15; next } if ($2 == top) sum += $12 + $13 }
			END { print (own + sum) * 1000 / tick }'
}

# row WHAT VALUE UNIT MUST
row()
{
	printf '| %s | %s %s | %s |\n' "$@"
}

# latencies SCRIPT OPTIONS...: pgbench's times of each transaction, in ms.
latencies()
{
	local script=$1

	shift
	rm -f "$scratch"/log.*
	(cd "$scratch" && "$PG_BIN/pgbench" -n -f "$script" -l --log-prefix=log "$@" "$connection" >"$scratch/out" 2>&1) ||
		die "pgbench failed: $(grep -v "^number" "$scratch/out" | head -n 8)"
	cat "$scratch"/log.* | awk '{print $3 / 1000}'
}

# The base model of 30,000 triangles, and variants that differ in the header's
# text, which is enough to make them other models.
make_models()
{
	gcc -O2 -o "$scratch/torus" "$here/geometry_torus.c" -lm
	"$scratch/torus" 100 150 ordered >"$scratch/base.stl"
	chmod 644 "$scratch/base.stl"
	sql <<SQL
CREATE TABLE bench_base AS SELECT pg_read_binary_file('$scratch/base.stl') AS bytes;
CREATE SEQUENCE bench_n;
CREATE FUNCTION bench_variant() RETURNS bytea LANGUAGE sql VOLATILE AS
  \$\$ SELECT overlay(bytes PLACING convert_to(lpad(nextval('bench_n')::text, 20, '.'), 'UTF8') FROM 1) FROM bench_base \$\$;
SQL
}

# heading TITLE: the table that rows go into.
heading()
{
	echo "## $1"
	echo
	echo "synchronous_commit on, fsync on; $(sql -c "SELECT setting || ' pricing slots' FROM pg_settings WHERE name = 'mesflow.pricing_slots'")."
	echo
	echo "| what | measured | must reach |"
	echo "|---|---|---|"
}
