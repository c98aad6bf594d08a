-- Schema 8: when a grant's token was last handed out, so that one which nobody uses is seen.

ALTER TABLE "authorization" ADD COLUMN last_used_at BIGINT;
