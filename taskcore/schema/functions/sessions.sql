-- Browser sessions. A sign-in link is a token with the scope sign-in, made by token_create_v1. It
-- is exchanged once for a session: a token with the scope tokens, which no API token has.
--
-- session_open_v1 is nested around token_user_v1, which finds the user of the link:
-- SELECT … FROM session_open_v1(token_user_v1($1, 'sign-in', NULL, true, $2), $1, …).

GRANT CREATE ON SCHEMA taskcore TO taskcore_authenticator, taskcore_definer;
SET LOCAL ROLE taskcore_definer;

-- Replace a link by a session that lasts p_minutes. No row: another call has used the link.
CREATE OR REPLACE FUNCTION taskcore.session_open_v1(
    p_user_id bigint, p_link bytea, p_hash bytea, p_id bigint, p_minutes integer
) RETURNS TABLE (id bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    DELETE FROM taskcore.tokens AS k
        WHERE k.user_id = p_user_id AND k.hash = p_link AND k.scopes = ARRAY['sign-in'];
    IF FOUND THEN
        RETURN QUERY
            INSERT INTO taskcore.tokens AS k (
                hash, user_id, id, name, scopes, minutes, expires_at
            )
            VALUES (p_hash, p_user_id, p_id, 'Browser',
                    ARRAY['tasks:read', 'tasks:write', 'tokens'], p_minutes,
                    pg_catalog.now() + pg_catalog.make_interval(mins => p_minutes))
            ON CONFLICT DO NOTHING
            RETURNING k.id;
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.session_open_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.session_open_v1 TO taskcore_app;

SET LOCAL ROLE taskcore_authenticator;

-- End the session that is presented, so that it is refused from the next call on. This is not
-- nested around token_user_v1, which refuses a blocked user: the session would be there again
-- when the user is let in. p_place: as in token_user_v1. No row: there is no such session; it has been ended before.
CREATE OR REPLACE FUNCTION taskcore.session_close_v1(
    p_hash bytea, p_place integer DEFAULT NULL
) RETURNS TABLE (id bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
BEGIN
    IF p_hash IS NULL OR pg_catalog.octet_length(p_hash) <> 32 THEN
        RAISE EXCEPTION 'the hash must have 32 bytes' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.token', p_hash::text, true);
    RETURN QUERY
        DELETE FROM taskcore.tokens AS c
        WHERE c.hash = p_hash AND 'tokens' = ANY (c.scopes)
        RETURNING c.id;
    v_bound := pg_catalog.set_config('taskcore.token', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.session_close_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.session_close_v1 TO taskcore_app;

SET LOCAL ROLE taskcore_owner;
REVOKE CREATE ON SCHEMA taskcore FROM taskcore_authenticator, taskcore_definer;
