#!/bin/bash
# geometry.sh: a whole measurement of a million triangles, beside two programs
#	that do the same: a torus with a rough surface, its triangles in the order
#	of the grid and in no order, as STL, and in the order of the grid as OBJ,
#	which only one of the two reads.  Prints tables in Markdown.
#
#	MESFLOW_PROGRAMS	where mesflow-geometry is
#	ROUNDS				how often each is run (default: 5); medians are shown
#
# All take turns, so that what else the machine does meets all alike.  A peer
# that is missing, fails, or did not see a million triangles ends the run:
# there is no table with holes.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../tools/lib.sh"

: "${MESFLOW_PROGRAMS:?is set by make bench}"
rounds=${ROUNDS:-5}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for program in "$MESFLOW_PROGRAMS/mesflow-geometry" admesh prusa-slicer; do
	command -v "$program" >/dev/null || die "there is no $program"
done
for source in geometry_torus geometry_time; do
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -o "$scratch/$source" \
		"$here/$source.c" -lm
done
for order in ordered shuffled; do
	"$scratch/geometry_torus" 1000 500 $order >"$scratch/$order.stl"
	[ "$(stat -c %s "$scratch/$order.stl")" = 50000084 ] ||
		die "the $order model is not whole"
done
"$scratch/geometry_torus" 1000 500 obj >"$scratch/obj.obj"
[ "$(grep -c '^f ' "$scratch/obj.obj")" = 1000000 ] ||
	die "the OBJ model is not whole"

# run TOOL ORDER: appends "MILLISECONDS KB" to TOOL.ORDER.
run()
{
	local tool=$1 order=$2 file=$scratch/$2.stl out=$scratch/out command seen

	[ "$order" != obj ] || file=$scratch/obj.obj
	case $tool in
	mesflow)
		command=("$MESFLOW_PROGRAMS/mesflow-geometry" --json "$file")
		seen='"triangles":1000000,"vertices":500000,.*"watertight":true'
		;;
	admesh)
		command=(admesh "$file")
		seen='Number of facets *: *1000000 '
		;;
	prusa)
		command=(prusa-slicer --info "$file")
		seen='^number_of_facets = 1000000$'
		;;
	esac
	if ! "$scratch/geometry_time" "$out" "${command[@]}" \
		>>"$scratch/$tool.$order"; then
		tail -n 5 "$out" >&2
		die "${command[0]} failed on the $order model"
	fi
	if ! grep -q "$seen" "$out"; then
		tail -n 5 "$out" >&2
		die "${command[0]} did not measure the $order model"
	fi
}

# middle TOOL ORDER COLUMN: the median.
middle()
{
	cut -d ' ' -f "$3" "$scratch/$1.$2" | sort -n | awk '
		{ v[NR] = $1 }
		END {
			if (NR == 0)
				exit 1
			print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
		}'
}

for order in ordered shuffled; do
	cat "$scratch/$order.stl" >/dev/null
done
cat "$scratch/obj.obj" >/dev/null
for ((round = 0; round < rounds; round++)); do
	say "geometry: round $((round + 1)) of $rounds"
	for order in ordered shuffled; do
		for tool in mesflow admesh prusa; do
			run $tool $order
		done
	done
	for tool in mesflow prusa; do
		run $tool obj
	done
done

ours_ordered=$(middle mesflow ordered 1)
ours_shuffled=$(middle mesflow shuffled 1)
rows=
for tool in mesflow admesh prusa; do
	case $tool in
	mesflow) name="mesflow-geometry --json" ;;
	admesh) name="admesh" ;;
	prusa) name="prusa-slicer --info" ;;
	esac
	ordered=$(middle $tool ordered 1)
	shuffled=$(middle $tool shuffled 1)
	kb=$(cat "$scratch/$tool.ordered" "$scratch/$tool.shuffled" |
		sort -k 2 -n | awk 'END { print $2 }')
	row=$(awk -v name="$name" -v o="$ordered" -v s="$shuffled" -v kb="$kb" \
		-v ours_o="$ours_ordered" -v ours_s="$ours_shuffled" 'BEGIN {
			if (!(o > 0 && s > 0 && kb > 0 && ours_o > 0 && ours_s > 0))
				exit 1
			printf "| %s | %.0f ms | %.0f ms | %.1f, %.1f | %.0f MB |",
				name, o, s, o / ours_o, s / ours_s, kb / 1024
		}')
	rows=$rows$row$'\n'
done

echo "## Geometry: a million triangles, 50 MB, one thread"
echo
echo "| program | ordered | shuffled | times as long as mesflow | most memory |"
echo "|---|---|---|---|---|"
echo "$rows"
echo "Must: at least as fast as both when ordered, 8 times as fast as admesh when shuffled, at most 150 MB."
echo
awk -v ours="$(middle mesflow obj 1)" -v theirs="$(middle prusa obj 1)" \
	-v kb="$(middle mesflow obj 2)" -v bytes="$(stat -c %s "$scratch/obj.obj")" 'BEGIN {
		if (!(ours > 0 && theirs > 0 && kb > 0))
			exit 1
		printf "The ordered model as OBJ of %.0f MB: %.0f ms and %.0f MB; prusa-slicer takes %.0f ms, %.1f times as long.\n\n",
			bytes / 1e6, ours, kb / 1024, theirs, theirs / ours
	}'
