#!/bin/bash
# print_time.sh: print time and material of models, as estimated from their
#	layers, beside what prusa-slicer says after slicing them, both with the
#	printer and the profile of print_time.ini.  Prints tables in Markdown.
#
#	MESFLOW_MODELS		a folder with models, looked through with all folders
#						below it (default: test/models)
#	SLICING_LIMIT		seconds that slicing a model may take (default: 120)
#
# Models that measure 8 to 180 mm are taken as they are, others are scaled to
# 60 mm.  Left out, and counted: models that differ in nothing from one before
# them, those that would not be priced without a person, and those that
# prusa-slicer cannot slice.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../tools/lib.sh"

models=${MESFLOW_MODELS:-$TOP/test/models}
limit=${SLICING_LIMIT:-120}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

command -v prusa-slicer >/dev/null || die "there is no prusa-slicer"
gcc -std=gnu11 -O2 -Wall -Wextra -Werror -ffp-contract=off -fno-strict-aliasing \
	-pthread -I"$TOP/src" -o "$scratch/print_time" "$here/print_time.c" \
	"$TOP"/src/machine/*.c "$TOP"/src/geometry/*.c "$TOP/src/frame/measurement.c" \
	-lexpat -ldeflate -lpng -lm

# seconds_of GCODE: "1h 2m 3s" of its comment, in seconds.
seconds_of()
{
	sed -n 's/^; estimated printing time (normal mode) = //p' "$1" | awk '
		{ for (i = 1; i <= NF; i++) {
			unit = substr($i, length($i)); n = $i + 0
			s += n * (unit == "d" ? 86400 : unit == "h" ? 3600 : unit == "m" ? 60 : 1) } }
		END { print s + 0 }'
}

# slice SCALE FILE: makes out.gcode; in a shell of its own, which says nothing
# where the program crashes.
slice()
(
	timeout "$limit" prusa-slicer --load "$here/print_time.ini" --scale "$1" \
		--export-gcode -o "$scratch/out.gcode" "$2" >"$scratch/log" 2>&1
) 2>/dev/null

now_in_ms()
{
	date +%s%3N
}

same=0 unsound=0 unsliced=0
declare -A seen
while IFS= read -r file; do
	if ! estimate=$(timeout 60 "$scratch/print_time" estimate "$file"); then
		unsound=$((unsound + 1))
		continue
	fi
	read -r scale key layers seconds mm3 ms us <<<"$estimate"
	if [ -n "${seen[$key]:-}" ]; then
		same=$((same + 1))
		continue
	fi
	seen[$key]=yes
	rm -f "$scratch/out.gcode"
	start=$(now_in_ms)
	if ! slice "$scale" "$file" || [ ! -s "$scratch/out.gcode" ]; then
		unsliced=$((unsliced + 1))
		continue
	fi
	slicing=$(($(now_in_ms) - start))
	sliced=$(seconds_of "$scratch/out.gcode")
	filament=$(sed -n 's/^; filament used \[mm\] = //p' "$scratch/out.gcode" |
		awk '{ print $1 * 3.14159265358979 / 4 * 1.75 * 1.75 }')
	echo "$file $scale $sliced $filament" >>"$scratch/prints"
	echo "${file#"$models"/} $layers $sliced $seconds $filament $mm3 $slicing $ms $us" \
		>>"$scratch/table"
done < <(find "$models" -type f -size +0 \( -iname '*.stl' -o -iname '*.obj' -o -iname '*.3mf' \) \
	! -name '* *' ! -name 'h_*' | LC_ALL=C sort)
[ -s "$scratch/table" ] || die "no model could be sliced"

# middle COLUMN: the median of a column of the table of errors.
middle()
{
	awk -v c="$1" '{ print $c }' "$scratch/errors" | sort -n |
		awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

awk '{ t = ($4 / $3 - 1) * 100; m = ($6 / $5 - 1) * 100
	print t < 0 ? -t : t, m < 0 ? -m : m }' "$scratch/table" >"$scratch/errors"

echo "## Print time and material without a slicer"
echo
echo "$(wc -l <"$scratch/table") models; left out: $same that are there already, $unsound that need a person, $unsliced that prusa-slicer does not slice within $limit s."
echo
echo "| model | layers | time, sliced | estimated | | material, sliced | estimated | | slicing | from the file | from its layers |"
echo "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
awk '{ printf "| %s | %d | %.1f min | %.1f min | %+.0f %% | %.2f cm3 | %.2f cm3 | %+.1f %% | %d ms | %.2f ms | %.0f us |\n",
	$1, $2, $3 / 60, $4 / 60, ($4 / $3 - 1) * 100, $5 / 1000, $6 / 1000, ($6 / $5 - 1) * 100, $7, $8, $9 }' "$scratch/table"
echo
echo "| what | | must |"
echo "|---|--:|---|"
printf '| error of the time, median | %.1f %% | at most 17 %%, aim at 12 %% |\n' "$(middle 1)"
printf '| error of the material, median | %.1f %% | at most 5 %% |\n' "$(middle 2)"
awk '{ slicing += $7; file += $8; layers += $9 / 1000 }
	END { printf "| all models: slicing | %.1f s | |\n", slicing / 1000
		printf "| all models: from the files, median | %.1f ms, %.0f times faster | 500 times |\n", file, slicing / file
		printf "| all models: from their stored layers | %.2f ms, %.0f times faster | |\n", layers, slicing / layers }' "$scratch/table"
echo
"$scratch/print_time" fit <"$scratch/prints"
echo
