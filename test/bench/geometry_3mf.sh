#!/bin/bash
# geometry_3mf.sh: size, volume, area, bodies and defects of a 3MF file of a
#	million triangles, beside a program that only inflates it with zlib and
#	scans it with expat, and two that measure.  Prints a table in Markdown.
#
#	MESFLOW_PROGRAMS	where mesflow-geometry is
#	ROUNDS				how often each is run (default: 5); medians are shown
#
# All take turns.  A program that is missing, fails, or did not see a million
# triangles ends the run.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../tools/lib.sh"

: "${MESFLOW_PROGRAMS:?is set by make bench}"
rounds=${ROUNDS:-5}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
ours=$MESFLOW_PROGRAMS/mesflow-geometry
model=$scratch/model.3mf

for program in "$ours" prusa-slicer; do
	command -v "$program" >/dev/null || die "there is no $program"
done
for source in geometry_3mf_make geometry_3mf_floor geometry_time; do
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -o "$scratch/$source" \
		"$here/$source.c" -lm -lz -lexpat
done
"$scratch/geometry_3mf_make" 1000 500 >"$model"

# run NAME PATTERN COMMAND...: appends "MILLISECONDS KB" to NAME.
run()
{
	local name=$1 seen=$2 out=$scratch/out

	shift 2
	if ! "$scratch/geometry_time" "$out" "$@" >>"$scratch/$name" ||
		! grep -q "$seen" "$out"; then
		tail -n 5 "$out" >&2
		die "$1 did not measure the model"
	fi
}

# middle NAME COLUMN: the median.
middle()
{
	cut -d ' ' -f "$2" "$scratch/$1" | sort -n | awk '
		{ v[NR] = $1 }
		END {
			if (NR == 0)
				exit 1
			print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
		}'
}

counted='"triangles":1000000,"vertices":500000,.*"watertight":true'
for ((round = 0; round < rounds; round++)); do
	say "geometry_3mf: round $((round + 1)) of $rounds"
	run floor '500000 vertices, 1000000 triangles' \
		"$scratch/geometry_3mf_floor" "$model"
	run one "$counted" "$ours" --basic --json --threads 1 "$model"
	run all "$counted" "$ours" --basic --json "$model"
	run prusa '^number_of_facets = 1000000$' prusa-slicer --info "$model"
done

echo "## Geometry: a million triangles as 3MF, $(($(stat -c %s "$model") / 1000000)) MB, 81 MB inflated"
echo
echo "| program | time | times the first | memory |"
echo "|---|---|---|---|"
floor=$(middle floor 1)
for name in floor one all prusa; do
	case $name in
	floor) text="zlib and expat alone, which measure nothing" ;;
	one) text="mesflow-geometry --basic --json --threads 1" ;;
	all) text="mesflow-geometry --basic --json" ;;
	prusa) text="prusa-slicer --info" ;;
	esac
	awk -v text="$text" -v ms="$(middle $name 1)" -v kb="$(middle $name 2)" \
		-v floor="$floor" 'BEGIN {
			if (!(ms > 0 && kb > 0 && floor > 0))
				exit 1
			printf "| %s | %.0f ms | %.2f | %.0f MB |\n", text, ms, ms / floor,
				kb / 1024
		}'
done
echo
echo "Must: at most 3 times the first."
echo
