#!/bin/bash
# geometry.sh: size, volume, area, bodies and defects of binary STL files of
#	one and ten million triangles, beside two programs that do the same, and
#	one that only reads the file and sums tetrahedra.  The model is a torus
#	with a rough surface, its triangles in the order of the grid and in no
#	order.  The same as OBJ, which only one of the peers reads.  Prints tables
#	in Markdown.
#
#	MESFLOW_PROGRAMS	where mesflow-geometry is
#	ROUNDS				how often each is run (default: 5); the best is taken:
#						what else the machine does only adds
#
# All take turns, so that what else the machine does meets all alike.  A peer
# that is missing, fails, or did not see all triangles ends the run: there is
# no table with holes but these: admesh with ten million in no order, and
# prusa-slicer with ten million, take minutes and are left out.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../tools/lib.sh"

: "${MESFLOW_PROGRAMS:?is set by make bench}"
rounds=${ROUNDS:-5}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for program in "$MESFLOW_PROGRAMS/mesflow-geometry" admesh prusa-slicer; do
	command -v "$program" >/dev/null || die "there is no $program"
done
for source in geometry_torus geometry_time geometry_floor; do
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -o "$scratch/$source" \
		"$here/$source.c" -lm
done

# make_model NAME ROWS COLUMNS ORDER: of 2 x ROWS x COLUMNS triangles.
make_model()
{
	"$scratch/geometry_torus" "$2" "$3" "$4" >"$scratch/$1"
	[ "$4" = obj ] || [ "$(stat -c %s "$scratch/$1")" = $((84 + 100 * $2 * $3)) ] ||
		die "the model $1 is not whole"
}

make_model ordered1 1000 500 ordered
make_model shuffled1 1000 500 shuffled
make_model obj1 1000 500 obj
make_model ordered10 2500 2000 ordered
make_model shuffled10 2500 2000 shuffled
[ "$(grep -c '^f ' "$scratch/obj1")" = 1000000 ] || die "the OBJ model is not whole"

# left_out TOOL MODEL: is it not measured?
left_out()
{
	case "$1 $2" in
	"admesh shuffled10" | "prusa ordered10" | "prusa shuffled10") true ;;
	*) false ;;
	esac
}

# run TOOL MODEL: appends "MILLISECONDS KB" to TOOL.MODEL.
run()
{
	local tool=$1 file=$scratch/$2 out=$scratch/out command seen n=1000000

	[ "${2%10}" = "$2" ] || n=10000000
	case $tool in
	floor)
		command=("$scratch/geometry_floor" "$file")
		seen="^$n "
		;;
	mesflow)
		command=("$MESFLOW_PROGRAMS/mesflow-geometry" --basic --json "$file")
		seen="\"triangles\":$n,\"vertices\":$((n / 2)),.*\"watertight\":true"
		;;
	alone)
		command=("$MESFLOW_PROGRAMS/mesflow-geometry" --basic --json --threads 1 "$file")
		seen="\"triangles\":$n,\"vertices\":$((n / 2)),.*\"watertight\":true"
		;;
	admesh)
		command=(admesh "$file")
		seen="Number of facets *: *$n "
		;;
	prusa)
		command=(prusa-slicer --info "$file")
		seen="^number_of_facets = $n\$"
		;;
	esac

	# prusa-slicer reads what a file's name says it is.
	if [ "$tool" = prusa ]; then
		[ "$2" = obj1 ] && ln -sf "$file" "$scratch/model.obj" ||
			ln -sf "$file" "$scratch/model.stl"
		[ "$2" = obj1 ] && command[2]=$scratch/model.obj ||
			command[2]=$scratch/model.stl
	fi
	if ! "$scratch/geometry_time" "$out" "${command[@]}" \
		>>"$scratch/$tool.$2"; then
		tail -n 5 "$out" >&2
		die "${command[0]} failed on the model $2"
	fi
	if ! grep -q "$seen" "$out"; then
		tail -n 5 "$out" >&2
		die "${command[0]} did not measure the model $2"
	fi
}

# best TOOL MODEL: the shortest time.
best()
{
	sort -n "$scratch/$1.$2" | awk 'NR == 1 { if (!($1 > 0)) exit 1; print $1 }'
}

# ratio A B
ratio()
{
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", a / b }'
}

# must WHAT MEASURED WANTED least|most: one line, and whether it is reached.
must()
{
	awk -v what="$1" -v have="$2" -v want="$3" -v kind="$4" 'BEGIN {
		good = kind == "least" ? have >= want : have <= want
		printf "Must: %s: %s, at %s %s%s.\n", what, have, kind, want,
			good ? "" : ": NOT REACHED" }'
}

cat "$scratch"/*1 "$scratch"/*10 >/dev/null
# Each runs twice in a row: the second time the machine's memory is what the
# first one left, and a virtual machine need not fetch it from its host.
for ((round = 0; round < rounds; round++)); do
	say "geometry: round $((round + 1)) of $rounds"
	for model in ordered1 shuffled1 ordered10 shuffled10; do
		for tool in floor mesflow alone admesh prusa; do
			left_out $tool $model || { run $tool $model && run $tool $model; }
		done
	done
	run mesflow obj1
	run prusa obj1
done

echo "## Geometry: binary STL, one and ten million triangles"
echo
echo "Milliseconds, the best of $((2 * rounds)); most memory, the file included."
echo
echo "| program | 1, ordered | 1, shuffled | 10, ordered | 10, shuffled | memory at 1 | at 10 |"
echo "|---|---|---|---|---|---|---|"
for tool in floor mesflow alone admesh prusa; do
	case $tool in
	floor) name="reads and sums tetrahedra only" ;;
	mesflow) name="mesflow-geometry --basic --json" ;;
	alone) name="the same with --threads 1" ;;
	admesh) name="admesh" ;;
	prusa) name="prusa-slicer --info" ;;
	esac
	printf '| %s |' "$name"
	for model in ordered1 shuffled1 ordered10 shuffled10; do
		if left_out $tool $model; then
			printf ' left out |'
		else
			printf ' %.0f |' "$(best $tool $model)"
		fi
	done
	for n in 1 10; do
		if left_out $tool ordered$n; then
			printf ' left out |'
			continue
		fi
		cat "$scratch/$tool."*"d$n" | awk '
			{ if ($2 > kb) kb = $2 } END { printf " %.0f MB |", kb / 1024 }'
	done
	echo
done
echo

for order in ordered shuffled; do
	one=$(best mesflow ${order}1)
	ten=$(best mesflow ${order}10)
	if [ $order = ordered ]; then
		floor=6 growth=11 admesh=3
	else
		floor=8 growth=14 admesh=12
	fi
	must "1 million $order, times as fast as admesh" \
		"$(ratio "$(best admesh ${order}1)" "$one")" $admesh least
	[ $order = ordered ] || must "1 million $order, times as fast as prusa-slicer" \
		"$(ratio "$(best prusa ${order}1)" "$one")" 6 least
	must "1 million $order, times as long as reading and summing" \
		"$(ratio "$one" "$(best floor ${order}1)")" $floor most
	must "10 million $order, times as long as 1 million" \
		"$(ratio "$ten" "$one")" $growth most
	must "10 million $order, times as long as reading and summing" \
		"$(ratio "$ten" "$(best floor ${order}10)")" $floor most
done
must "memory at 1 million, MB" "$(cat "$scratch/mesflow."*d1 |
	awk '{ if ($2 > kb) kb = $2 } END { printf "%.0f", kb / 1024 }')" 150 most
echo
awk -v ours="$(best mesflow obj1)" -v theirs="$(best prusa obj1)" \
	-v bytes="$(stat -c %s "$scratch/obj1")" 'BEGIN {
		if (!(ours > 0 && theirs > 0))
			exit 1
		printf "The ordered million as OBJ of %.0f MB: %.0f ms; prusa-slicer takes %.0f ms, %.1f times as long.\n\n",
			bytes / 1e6, ours, theirs, theirs / ours
	}'
