-- Options of endpoints: which there are, and what they may be. A message names the option by its path and never shows what
-- may be secret: values of headers, credentials, keys, the address but for its host.

CREATE FUNCTION _refuse_endpoint_option(path text, trouble text, hint text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mesflow._raise('MF400', 'option not allowed', format('options.%s %s.', $1, $2), $3);
END
$$;
COMMENT ON FUNCTION _refuse_endpoint_option(text, text, text) IS 'MF400 for an option of an endpoint.';

CREATE FUNCTION _shown(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN length($1::text) > 100 THEN left($1::text, 100) || '...' ELSE $1::text END;
COMMENT ON FUNCTION _shown(jsonb) IS 'A value for a message, its first 100 characters.';

-- ---- the address ------------------------------------------------------------------------------------------------------

CREATE FUNCTION _check_endpoint_url(url text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  longest constant integer := 2000;
  usual constant text := 'Give an address such as https://partner.example/orders.';
  scheme text;
  authority text;
  host text[];
BEGIN
  IF $1 IS NULL OR length($1) NOT BETWEEN 1 AND longest THEN
    PERFORM mesflow._raise('MF400', 'url not allowed', format('The url %s.', CASE WHEN $1 IS NULL THEN 'is NULL' ELSE format('has %s characters', length($1)) END),
                           format('%s At most %s characters.', usual, longest));
  ELSIF $1 !~ '^[!-~]+$' OR strpos($1, '\') > 0 THEN
    PERFORM mesflow._raise('MF400', 'url not allowed', format('Character %s of the url is a space, a control character, a backslash or outside of ASCII.',
                             length(substring($1 FROM '^[!-\[\]-~]*')) + 1),
                           'Encode it: other characters of a path as %XX, a host of other characters as xn--...');
  END IF;
  scheme := lower(substring($1 FROM '^([A-Za-z][A-Za-z0-9+.-]*)://'));
  IF scheme IN ('smtp', 'smtps', 'amqp', 'amqps') THEN
    PERFORM mesflow._raise('MF503', format('%s is not built in this version', scheme), format('The scheme of the url is %s.', scheme), 'Use https or http.');
  ELSIF scheme IS NULL OR scheme NOT IN ('http', 'https') THEN
    PERFORM mesflow._raise('MF400', 'url not allowed', format('The url %s.', CASE WHEN scheme IS NULL THEN 'has no scheme' ELSE format('has scheme %s', left(scheme, 100)) END),
                           usual || ' Schemes are https and http.');
  END IF;
  authority := substring($1 FROM '^[^/]*//([^/?#]*)');
  IF strpos(authority, '@') > 0 THEN
    PERFORM mesflow._raise('MF400', 'url not allowed', 'The url has a user or a password before its host.',
                           'Give them as options.auth: {"type": "basic", "user": ..., "password": ...}.');
  ELSIF strpos($1, '#') > 0 THEN
    PERFORM mesflow._raise('MF400', 'url not allowed', 'The url has a fragment ("#").', 'Leave it out: it is never sent.');
  END IF;
  host := regexp_match(authority, '^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?$');
  IF host IS NULL OR host[2]::integer NOT BETWEEN 1 AND 65535 THEN
    PERFORM mesflow._raise('MF400', 'url not allowed', format('The host and port of the url are %s.', quote_literal(left(authority, 100))), usual);
  END IF;
END
$$;
COMMENT ON FUNCTION _check_endpoint_url(text) IS 'MF400 where this is no absolute address of http or https without credentials; MF503 for what this version cannot speak.';

CREATE FUNCTION _bare_url(url text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT regexp_replace(regexp_replace(split_part($1, '?', 1), '^([^/]*//)[^/@]*@', '\1'), '(?<!/)/(?![a-z_-]+(?:/|$))[^/]{20,}', '/***', 'g')
         || CASE WHEN strpos($1, '?') > 0
                 THEN '?' || coalesce((SELECT string_agg(CASE WHEN p.part = '' THEN '' WHEN strpos(p.part, '=') > 0 THEN split_part(p.part, '=', 1) || '=***' ELSE '***' END, '&' ORDER BY p.at)
                                FROM unnest(string_to_array(substr($1, strpos($1, '?') + 1), '&')) WITH ORDINALITY AS p (part, at)), '') ELSE '' END
$$;
COMMENT ON FUNCTION _bare_url(text) IS 'An address for others to see: no credentials, no part of its path that looks like one (20 characters and more that are no words), and names without values in its query.';

-- ---- options that are more than a number or a word ----------------------------------------------------------------------

CREATE FUNCTION _check_endpoint_headers(headers jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most constant integer := 50;
  most_bytes constant integer := 8192;
  header record;
  known text[] := '{}';
  bytes integer := 0;
BEGIN
  IF jsonb_typeof($1) <> 'object' THEN
    PERFORM mesflow._refuse_endpoint_option('headers', format('is of type %s', jsonb_typeof($1)), 'Give an object of names and values: {"X-Shop": "example"}.');
  END IF;
  FOR header IN SELECT j.key AS name, lower(j.key) AS lower_name, j.value, j.value #>> '{}' AS text FROM jsonb_each($1) j LOOP
    IF header.name !~ '^[!#$%&''*+.^_`|~0-9A-Za-z-]{1,200}$' THEN
      PERFORM mesflow._refuse_endpoint_option('headers', format('has the name %s', quote_literal(left(header.name, 100))), 'A name is made of letters, digits and - . _ and is up to 200 characters long.');
    ELSIF header.lower_name ~ '^(webhook|ce|mesflow)-' OR header.lower_name IN ('host', 'content-length', 'content-type', 'transfer-encoding', 'connection', 'te', 'upgrade', 'expect', 'trailer', 'keep-alive', 'proxy-connection', 'traceparent') THEN
      PERFORM mesflow._refuse_endpoint_option('headers.' || header.name, 'is a header that the delivery itself sets', 'Leave it out, or take a name of your own, such as X-Shop.');
    ELSIF header.lower_name = ANY (known) THEN
      PERFORM mesflow._refuse_endpoint_option('headers.' || header.name, 'is there twice', 'Names of headers are the same in upper and lower case.');
    ELSIF jsonb_typeof(header.value) <> 'string' THEN
      PERFORM mesflow._refuse_endpoint_option('headers.' || header.name, format('is of type %s', jsonb_typeof(header.value)), 'Give a string.');
    ELSIF header.text ~ '[\u0001-\u001f\u007f]' OR header.text <> btrim(header.text) THEN
      PERFORM mesflow._refuse_endpoint_option('headers.' || header.name, 'has a line end, another control character, or space around it', 'Give one line of text.');
    END IF;
    known := known || header.lower_name;
    bytes := bytes + octet_length(header.name) + octet_length(header.text) + 4;
  END LOOP;
  IF cardinality(known) > most OR bytes > most_bytes THEN
    PERFORM mesflow._refuse_endpoint_option('headers', format('has %s headers of %s bytes', cardinality(known), bytes), format('At most %s headers of %s bytes together.', most, most_bytes));
  END IF;
END
$$;
COMMENT ON FUNCTION _check_endpoint_headers(jsonb) IS 'MF400 where options.headers cannot be sent.';

CREATE FUNCTION _check_endpoint_auth(auth jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  longest constant integer := 8192;
  usual constant text := 'Give {"type": "bearer", "token": ...} or {"type": "basic", "user": ..., "password": ...}.';
  wanted text[];
  name text;
BEGIN
  IF jsonb_typeof($1) <> 'object' THEN
    PERFORM mesflow._refuse_endpoint_option('auth', format('is of type %s', jsonb_typeof($1)), usual);
  END IF;
  wanted := CASE $1 ->> 'type' WHEN 'bearer' THEN '{token}' WHEN 'basic' THEN '{user,password}' END;
  IF wanted IS NULL THEN
    PERFORM mesflow._refuse_endpoint_option('auth.type', CASE WHEN $1 ? 'type' THEN 'is another one' ELSE 'is missing' END, usual);
  END IF;
  FOREACH name IN ARRAY wanted LOOP
    IF jsonb_typeof($1 -> name) IS DISTINCT FROM 'string' THEN
      PERFORM mesflow._refuse_endpoint_option('auth.' || name, coalesce('is of type ' || jsonb_typeof($1 -> name), 'is missing'), usual);
    ELSIF ($1 ->> name) ~ '[\u0001-\u001f\u007f]' OR length($1 ->> name) > longest OR (name <> 'password' AND $1 ->> name = '') THEN
      PERFORM mesflow._refuse_endpoint_option('auth.' || name, 'is empty, too long, or has control characters', format('Give 1 to %s characters on one line.', longest));
    END IF;
  END LOOP;
  IF ($1 ->> 'token') !~ '^[!-~]+$' THEN
    PERFORM mesflow._refuse_endpoint_option('auth.token', 'has spaces or characters outside of ASCII', 'Give the token alone, without "Bearer".');
  ELSIF $1 ->> 'type' = 'basic' AND strpos($1 ->> 'user', ':') > 0 THEN
    PERFORM mesflow._refuse_endpoint_option('auth.user', 'has a colon', 'With basic authentication a colon ends the user (RFC 7617).');
  END IF;
  SELECT k INTO name FROM jsonb_object_keys($1) k WHERE k <> 'type' AND k <> ALL (wanted) LIMIT 1;
  IF FOUND THEN
    PERFORM mesflow._refuse_endpoint_option('auth.' || left(name, 100), 'is not known', usual);
  END IF;
END
$$;
COMMENT ON FUNCTION _check_endpoint_auth(jsonb) IS 'MF400 where options.auth is not one of the two kinds.';

CREATE FUNCTION _schedule_ms(schedule jsonb) RETURNS integer[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most constant integer := 50;
  longest constant interval := '7 days';
  usual constant text := 'Give pauses before the first try, the second and so on, as intervals or seconds: [0, "5s", "30s", "2 min"]; each up to 7 days.';
  pause jsonb;
  value interval;
  answer integer[] := '{}';
BEGIN
  IF $1 IS NULL THEN
    RETURN '{0,5000,30000,120000,600000,1800000,3600000,7200000,14400000,28800000,57600000,86400000,86400000}';
  ELSIF jsonb_typeof($1) <> 'array' THEN
    PERFORM mesflow._refuse_endpoint_option('schedule', format('is of type %s', jsonb_typeof($1)), usual);
  ELSIF jsonb_array_length($1) NOT BETWEEN 1 AND most THEN
    PERFORM mesflow._refuse_endpoint_option('schedule', format('has %s elements', jsonb_array_length($1)), format('Give 1 to %s.', most));
  END IF;
  FOR pause IN SELECT j FROM jsonb_array_elements($1) j LOOP
    BEGIN
      value := CASE jsonb_typeof(pause) WHEN 'number' THEN make_interval(secs => least(pause::numeric, 1e9)::float8) WHEN 'string' THEN (pause #>> '{}')::interval END;
    EXCEPTION WHEN data_exception THEN
      value := NULL;
    END;
    IF value IS NULL OR value NOT BETWEEN interval '0' AND longest THEN
      PERFORM mesflow._refuse_endpoint_option(format('schedule[%s]', cardinality(answer)), format('is %s', mesflow._shown(pause)), usual);
    END IF;
    answer := answer || ceil(extract(epoch FROM value) * 1000)::integer;
  END LOOP;
  RETURN answer;
END
$$;
COMMENT ON FUNCTION _schedule_ms(jsonb) IS 'options.schedule in milliseconds, the usual one for NULL; MF400 where it is none.';

CREATE FUNCTION _private_lines(allow_private jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most constant integer := 100;
  usual constant text := 'Give true, or hosts, addresses and networks: ["erp.lan", "10.1.2.3", "10.1.0.0/16"].';
  list constant jsonb := CASE jsonb_typeof($1) WHEN 'array' THEN $1 WHEN 'string' THEN jsonb_build_array($1) END;
  place text;
  path text;
  answer text := '';
  good boolean;
BEGIN
  IF coalesce($1, 'false') = 'false' THEN
    RETURN '';
  ELSIF $1 = 'true' THEN
    RETURN E'0.0.0.0/0\n::/0\n';
  ELSIF list IS NULL THEN
    PERFORM mesflow._refuse_endpoint_option('allow_private', format('is of type %s', jsonb_typeof($1)), usual);
  ELSIF jsonb_array_length(list) > most THEN
    PERFORM mesflow._refuse_endpoint_option('allow_private', format('has %s elements', jsonb_array_length(list)), format('At most %s; a network stands for many addresses.', most));
  END IF;
  FOR at IN 0 .. jsonb_array_length(list) - 1 LOOP
    path := CASE jsonb_typeof($1) WHEN 'array' THEN format('allow_private[%s]', at) ELSE 'allow_private' END;
    place := list ->> at;
    IF jsonb_typeof(list -> at) <> 'string' THEN
      PERFORM mesflow._refuse_endpoint_option(path, format('is of type %s', jsonb_typeof(list -> at)), usual);
    END IF;
    BEGIN
      good := CASE WHEN place ~ '/' THEN place::cidr IS NOT NULL AND place ~ '/[0-9]+$' WHEN place ~ ':' OR place ~ '^[0-9.]+$' THEN place::inet IS NOT NULL
                   ELSE place ~ '^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*[.]?$' AND length(place) <= 253 END;
    EXCEPTION WHEN data_exception THEN
      good := false;
    END;
    IF NOT good THEN
      PERFORM mesflow._refuse_endpoint_option(path, format('is %s', mesflow._shown(list -> at)), usual || ' A network has no bits set behind its mask.');
    END IF;
    answer := answer || place || E'\n';
  END LOOP;
  RETURN answer;
END
$$;
COMMENT ON FUNCTION _private_lines(jsonb) IS 'options.allow_private as lines, each a host, an address or a network; MF400 where it is none.';

CREATE FUNCTION _check_pem(name text, value jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  longest constant integer := 32 * 1024;        -- the sender parses it for each connection (MF_SENDING_PEM)
  pem constant text := $2 #>> '{}';
  kind constant text := CASE $1 WHEN 'client_key' THEN '(RSA |EC )?PRIVATE KEY' ELSE '(X509 |TRUSTED )?CERTIFICATE' END;
  hint constant text := format('Give the text itself, from "-----BEGIN %s-----" to its END line; never the path of a file.',
                               CASE $1 WHEN 'client_key' THEN 'PRIVATE KEY' ELSE 'CERTIFICATE' END);
BEGIN
  IF jsonb_typeof($2) <> 'string' THEN
    PERFORM mesflow._refuse_endpoint_option($1, format('is of type %s', jsonb_typeof($2)), hint);
  ELSIF octet_length(pem) > longest THEN
    PERFORM mesflow._refuse_endpoint_option($1, format('has %s bytes', octet_length(pem)), format('At most %s. %s', longest,
      CASE $1 WHEN 'ca' THEN 'Give only the root or the intermediate that signed the server''s certificate, not a whole bundle.' ELSE 'Leave out what is not needed.' END));
  ELSIF pem ~ '-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED' THEN
    PERFORM mesflow._refuse_endpoint_option($1, 'is encrypted', 'Give the key without a passphrase: nobody is there to type it.');
  ELSIF pem !~ ('-----BEGIN ' || kind || '-----[\sA-Za-z0-9+/=]+-----END ' || kind || '-----') THEN
    PERFORM mesflow._refuse_endpoint_option($1, CASE WHEN pem !~ '-----BEGIN' AND pem ~ '^(/|\.|~|[A-Za-z]:)|\.(pem|crt|cer|key)$' THEN 'looks like a path' ELSE 'is not in PEM' END, hint);
  END IF;
END
$$;
COMMENT ON FUNCTION _check_pem(text, jsonb) IS 'MF400 where an option is not a certificate or key as PEM text.';

-- ---- all of them --------------------------------------------------------------------------------------------------------

CREATE FUNCTION _check_endpoint_option(name text, value jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known constant text[] := '{ordering,format,headers,auth,timeout_ms,max_in_flight,rate_per_second,schedule,redirects,allow_private,ca,client_cert,client_key,template,filter,expand,receipt,from,to,subject,exchange,routing_key}';
  kind constant text := jsonb_typeof($2);
  words text[];
  range numrange;
BEGIN
  words := CASE $1 WHEN 'ordering' THEN '{order,none,strict}' WHEN 'format' THEN '{standard,cloudevents,cloudevents-binary}'
                   WHEN 'receipt' THEN '{http,explicit}' WHEN 'expand' THEN '{customer,cost}' END;
  range := CASE $1 WHEN 'timeout_ms' THEN '[100,120000]' WHEN 'max_in_flight' THEN '[1,256]' WHEN 'redirects' THEN '[0,5]' WHEN 'rate_per_second' THEN '(0,100000]' END;
  CASE
    WHEN $1 <> ALL (known) THEN
      PERFORM mesflow._refuse_endpoint_option(left($1, 100), 'is not known', format('Known options: %s.', array_to_string(known, ', ')));
    WHEN $1 = 'expand' THEN
      IF kind <> 'array' OR EXISTS (SELECT FROM jsonb_array_elements($2) j WHERE jsonb_typeof(j) <> 'string' OR j #>> '{}' <> ALL (words)) THEN
        PERFORM mesflow._refuse_endpoint_option($1, format('is %s', mesflow._shown($2)), 'Give an array of "customer" and "cost".');
      END IF;
    WHEN words IS NOT NULL THEN
      IF kind <> 'string' OR $2 #>> '{}' <> ALL (words) THEN
        PERFORM mesflow._refuse_endpoint_option($1, format('is %s', mesflow._shown($2)), format('Give one of: %s.', array_to_string(words, ', ')));
      END IF;
    WHEN $1 = 'redirects' AND kind = 'boolean' THEN
      NULL;                             -- true: 5
    WHEN range IS NOT NULL THEN
      IF kind <> 'number' OR NOT range @> $2::numeric OR ($1 <> 'rate_per_second' AND $2::numeric <> trunc($2::numeric)) THEN
        PERFORM mesflow._refuse_endpoint_option($1, format('is %s', mesflow._shown($2)),
          CASE $1 WHEN 'rate_per_second' THEN 'Give a number above 0, up to 100000; without it there is no limit.'
                  ELSE format('Give a whole number from %s to %s%s.', lower(range), upper(range), CASE $1 WHEN 'redirects' THEN ', or true for all of them' ELSE '' END) END);
      END IF;
    WHEN $1 = 'headers' THEN PERFORM mesflow._check_endpoint_headers($2);
    WHEN $1 = 'auth' THEN PERFORM mesflow._check_endpoint_auth($2);
    WHEN $1 = 'schedule' THEN PERFORM mesflow._schedule_ms($2);
    WHEN $1 = 'allow_private' THEN PERFORM mesflow._private_lines($2);
    WHEN $1 IN ('ca', 'client_cert', 'client_key') THEN PERFORM mesflow._check_pem($1, $2);
    WHEN $1 IN ('template', 'filter') AND kind <> 'string' THEN
      PERFORM mesflow._refuse_endpoint_option($1, format('is of type %s', kind), 'Give it as a string.');
    WHEN $1 = 'template' THEN PERFORM mesflow._check_template($2 #>> '{}');
    WHEN $1 = 'filter' THEN
      BEGIN
        PERFORM ($2 #>> '{}')::jsonpath;
      EXCEPTION WHEN syntax_error OR data_exception THEN
        PERFORM mesflow._refuse_endpoint_option($1, format('is no jsonpath: %s', SQLERRM), 'Give a predicate over the body, for example $.data.order.priority > 0.');
      END;
    ELSE
      PERFORM mesflow._refuse_endpoint_option($1, format('is only for %s', CASE WHEN $1 IN ('exchange', 'routing_key') THEN 'amqp and amqps' ELSE 'smtp and smtps' END), 'The url is one of http: leave it out.');
  END CASE;
END
$$;
COMMENT ON FUNCTION _check_endpoint_option(text, jsonb) IS 'MF400 where there is no such option of an endpoint, or where it may not have this value.';

CREATE FUNCTION _endpoint_options(options jsonb, system text, OUT kept jsonb, OUT filter jsonpath) RETURNS record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  option record;
BEGIN
  IF jsonb_typeof($1) <> 'object' THEN
    PERFORM mesflow._raise('MF400', 'options not allowed', format('options is of type %s.', jsonb_typeof($1)), 'Give an object, for example {"ordering": "none"}.');
  END IF;
  SELECT coalesce(jsonb_object_agg(j.key, j.value), '{}') INTO kept FROM jsonb_each(coalesce($1, '{}')) j WHERE j.value <> 'null';
  FOR option IN SELECT j.key, j.value FROM jsonb_each(kept) j LOOP
    PERFORM mesflow._check_endpoint_option(option.key, option.value);
  END LOOP;
  IF (kept ? 'client_cert') <> (kept ? 'client_key') THEN
    PERFORM mesflow._refuse_endpoint_option(CASE WHEN kept ? 'client_cert' THEN 'client_key' ELSE 'client_cert' END, 'is missing', 'client_cert and client_key go together.');
  ELSIF kept ? 'auth' AND EXISTS (SELECT FROM jsonb_object_keys(kept -> 'headers') k WHERE lower(k) = 'authorization') THEN
    PERFORM mesflow._refuse_endpoint_option('headers.Authorization', 'is there beside options.auth', 'Leave one of them out.');
  ELSIF kept ? 'receipt' AND $2 IS NULL THEN
    PERFORM mesflow._refuse_endpoint_option('receipt', 'is there without a system', 'Only a system gives receipts: name it, or leave the option out.');
  END IF;
  filter := (kept ->> 'filter')::jsonpath;
  kept := kept - 'filter';
END
$$;
COMMENT ON FUNCTION _endpoint_options(jsonb, text) IS 'Options of an endpoint of this system (or NULL), checked, as they are kept: without those that are null, and the filter apart. MF400 otherwise.';
