-- done: the work on an account is finished. He is not handed out again in this
-- window and with this date; when either has changed since the claim, he is
-- open again at once.
--
-- ARGV: account, worker, token ('' for whichever the worker has)
-- Reply: 'done', 'moved' (open again), or 'gone' (no longer in the queue)
local id, worker, token = ARGV[1] or '', ARGV[2] or '', ARGV[3] or ''
local claim, why = own_claim(id, worker, token)
if not claim then
	return redis.error_reply(why)
end
if not redis.call('ZSCORE', queue, id) then
	offer(id)
	return 'gone'
end
if mark(id) ~= claim.mark then
	offer(id)
	return 'moved'
end
redis.call('ZREM', leases, id)
redis.call('HDEL', claims, id)
redis.call('HSET', done, id, claim.mark)
return 'done'
