-- Places: numbers from 0 to 1023 that say where a router finds a user (specs/005-scale-out). On one
-- server they mean nothing. A user's identities and tokens are at the user's place.

-- The place of a user. A user of an identity has it in the id, see identity_user_v1.
CREATE OR REPLACE FUNCTION taskcore.user_place(p_id bigint) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN p_id < 4503599627370496 THEN pg_catalog.hashint8(p_id) & 1023
                ELSE (p_id & 1023)::integer END
$$;

REVOKE ALL ON FUNCTION taskcore.user_place FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.user_place
    TO taskcore_definer, taskcore_authenticator, taskcore_admin;

-- The place of an identity. A subject that can be a user's id has the place of that user. Sixteen
-- digits fit into a bigint. PostgreSQL partitions tables by the same hash, so it stays as it is.
CREATE OR REPLACE FUNCTION taskcore.identity_place(p_subject text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN CASE WHEN p_subject ~ '^[1-9][0-9]{0,15}$'
                          THEN p_subject::bigint < 4503599627370496 END
                THEN pg_catalog.hashint8(p_subject::bigint) & 1023
                ELSE (pg_catalog.hashtextextended(p_subject COLLATE "C", 0) & 1023)::integer END
$$;

REVOKE ALL ON FUNCTION taskcore.identity_place FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.identity_place TO taskcore_authenticator, taskcore_admin;
