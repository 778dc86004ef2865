#!/bin/bash
# sender.sh: how many requests a second mesflow-sender gets through, beside a
#	bare loop around the same libcurl, against the same nginx on loopback.
#	Prints a table in Markdown.
#
#	MESFLOW_PROGRAMS	where mesflow-sender is
#	ROUNDS				how often each is run (default: 5); medians are shown
#
# Bodies of 600 bytes.  The bare loop looks at no address, signs nothing, and
# tells nobody what came of it; the sender does all that for a parent that does
# nothing else but drive it.  Both take turns.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../tools/lib.sh"

: "${MESFLOW_PROGRAMS:?is set by make bench}"
rounds=${ROUNDS:-5}
requests=${REQUESTS:-60000}
scratch=$(mktemp -d)
nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || die "there is no nginx"

leave()
{
	[ ! -s "$scratch/pid" ] || kill -QUIT "$(cat "$scratch/pid")" || true
	rm -rf "$scratch"
}
trap leave EXIT

flags="-std=gnu11 -O2 -Wall -Wextra -Werror"
gcc $flags -o "$scratch/loop" "$here/sender_loop.c" -lcurl
gcc $flags -I"$TOP/src" -o "$scratch/drive" "$here/sender_drive.c" \
	"$TOP"/src/frame/*.c -lm

port=$(free_port)
cat >"$scratch/nginx.conf" <<END
pid $scratch/pid;
error_log $scratch/log;
worker_processes 1;
events { worker_connections 4096; }
http {
	access_log off;
	keepalive_requests 100000000;
	client_body_buffer_size 64k;
	client_body_temp_path $scratch/body;
	proxy_temp_path $scratch/proxy;
	fastcgi_temp_path $scratch/fastcgi;
	uwsgi_temp_path $scratch/uwsgi;
	scgi_temp_path $scratch/scgi;
	server { listen 127.0.0.1:$port; location / { return 200 "ok\n"; } }
}
END
"$nginx" -c "$scratch/nginx.conf" 2>"$scratch/said" ||
	die "nginx does not start: $(cat "$scratch/said")"
url=http://127.0.0.1:$port/

# median FILE COLUMN
median()
{
	cut -d ' ' -f "$2" "$1" | sort -n | sed -n "$((rounds / 2 + 1))p"
}

echo "## Sending"
echo
echo "| in flight | bare loop, requests/s | mesflow-sender, requests/s | of the loop | loop, µs of CPU each | sender, µs of CPU each |"
echo "|---|---|---|---|---|---|"
for number in 1 16 64 256 1000; do
	: >"$scratch/loop.$number"
	: >"$scratch/drive.$number"
	for ((round = 0; round < rounds; round++)); do
		"$scratch/loop" "$url" "$requests" "$number" >>"$scratch/loop.$number" ||
			die "the bare loop failed"
		"$scratch/drive" "$MESFLOW_PROGRAMS/mesflow-sender" "$url" \
			"$requests" "$number" >>"$scratch/drive.$number" \
			2>"$scratch/said" || die "$(cat "$scratch/said")"
	done
	loop=$(median "$scratch/loop.$number" 1)
	drive=$(median "$scratch/drive.$number" 1)
	echo "| $number | $loop | $drive | $((drive * 100 / loop)) % | $(median "$scratch/loop.$number" 2) | $(median "$scratch/drive.$number" 2) |"
done
echo
