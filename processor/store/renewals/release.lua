-- release: the worker gives the account back, unfinished.
--
-- ARGV: account, worker, token ('' for whichever the worker has)
-- Reply: 'open', or 'gone' (no longer in the queue)
local id, worker, token = ARGV[1] or '', ARGV[2] or '', ARGV[3] or ''
local claim, why = own_claim(id, worker, token)
if not claim then
	return redis.error_reply(why)
end
return offer(id) and 'open' or 'gone'
