-- The checksum of a case, of all that its row holds; NULL in rows written before: unchecked.
alter table eval_results add column seal integer;
