#!/bin/bash
# geometry_all.sh: everything that is measured of a model, its picture drawn,
#	with all processors: a torus with a rough surface of one million triangles
#	as binary STL, in order and in no order, as OBJ and as 3MF; a ball, all of
#	whose vertices are at its convex hull; ten million in order.  Prints a table
#	in Markdown.
#
#	MESFLOW_PROGRAMS	where mesflow-geometry is
#	ROUNDS				how often each is run (default: 5); the best is taken:
#						what else the machine does only adds
#
# Each is measured within the memory that a job has: 64 MB and four times the
# size of the file, unpacked.  A model that is refused, or of which anything is
# not known, ends the run.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../tools/lib.sh"

: "${MESFLOW_PROGRAMS:?is set by make bench}"
rounds=${ROUNDS:-5}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
ours=$MESFLOW_PROGRAMS/mesflow-geometry
models="ordered shuffled ball obj 3mf ten"

command -v "$ours" >/dev/null || die "there is no $ours"
for source in geometry_torus geometry_ball geometry_3mf_make geometry_time; do
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -o "$scratch/$source" \
		"$here/$source.c" -lm -lz
done
"$scratch/geometry_torus" 1000 500 ordered >"$scratch/ordered"
"$scratch/geometry_torus" 1000 500 shuffled >"$scratch/shuffled"
"$scratch/geometry_ball" 1000 501 >"$scratch/ball"
"$scratch/geometry_torus" 1000 500 obj >"$scratch/obj"
"$scratch/geometry_3mf_make" 1000 500 >"$scratch/3mf"
"$scratch/geometry_torus" 2500 2000 ordered >"$scratch/ten"

# size MODEL: bytes of the file, unpacked.
size()
{
	if [ "$1" = 3mf ]; then
		unzip -l "$scratch/3mf" | awk 'END { print $1 }'
	else
		stat -c %s "$scratch/$1"
	fi
}

# allowed MODEL: the memory it may take, in MB.
allowed()
{
	echo $((64 + $(size "$1") / (1 << 18)))
}

# run MODEL: appends "MILLISECONDS KB MILLISECONDS" to MODEL.runs.
run()
{
	local out=$scratch/out n=1000000 what

	[ "$1" != ten ] || n=10000000
	rm -f "$scratch/picture.png"
	if ! "$scratch/geometry_time" "$out" "$ours" --json --threads "$(nproc)" \
		--max-memory "$(allowed "$1")" --picture "$scratch/picture.png" \
		"$scratch/$1" >>"$scratch/$1.runs" ||
		! grep -q "\"triangles\":$n,.*\"watertight\":true" "$out" ||
		! [ -s "$scratch/picture.png" ]; then
		tail -n 5 "$out" >&2
		die "the model $1 was not measured"
	fi
	for what in overlap_volume_mm3 min_wall_mm overhang_area_mm2 \
		support_volume_mm3 convex_hull_volume_mm3 tight_box_mm layer_area_mm2; do
		grep -q "\"$what\":" "$out" && ! grep -q "\"$what\":null" "$out" ||
			die "of the model $1, $what is not known"
	done
}

# best MODEL COLUMN
best()
{
	sort -n -k "$2" "$scratch/$1.runs" | awk -v column="$2" '
		NR == 1 { if (!($column > 0)) exit 1; print $column }'
}

for model in $models; do
	cat "$scratch/$model" >/dev/null
done
for ((round = 0; round < rounds; round++)); do
	say "geometry_all: round $((round + 1)) of $rounds"
	for model in $models; do
		run $model
	done
done

echo "## Geometry: everything, layers, hull, walls, supports, overlaps and picture"
echo
echo "One million triangles where it says nothing else; all $(nproc) processors, the best of $rounds."
echo
echo "| model | time | processor time | most memory, the file included | allowed without it |"
echo "|---|---|---|---|---|"
for model in $models; do
	case $model in
	ordered) name="binary STL, in order" ;;
	shuffled) name="binary STL, in no order" ;;
	ball) name="binary STL, a ball: all vertices at the hull" ;;
	obj) name="OBJ" ;;
	3mf) name="3MF" ;;
	ten) name="binary STL, 10 million in order" ;;
	esac
	awk -v name="$name" -v ms="$(best $model 1)" -v cpu="$(best $model 3)" \
		-v kb="$(best $model 2)" -v allowed="$(allowed $model)" 'BEGIN {
			printf "| %s | %.0f ms | %.0f ms | %.0f MB | %d MB |\n",
				name, ms, cpu, kb / 1024, allowed }'
done
echo
for model in ordered shuffled ball obj 3mf; do
	best $model 1
done | awk -v ten="$(best ten 1)" -v one="$(best ordered 1)" '
	{ most = $1 > most ? $1 : most }
	END {
		printf "Must: one million triangles: %.0f ms at the slowest, at most 1500 ms%s.\n",
			most, most <= 1500 ? "" : ": NOT REACHED"
		printf "Must: ten million: %.1f times as long, at most 11%s.\n\n",
			ten / one, ten / one <= 11 ? "" : ": NOT REACHED"
	}'
