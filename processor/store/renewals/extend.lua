-- extend: the worker needs longer. The lease ends so long after now.
--
-- ARGV: account, worker, token ('' for whichever the worker has), lease in ms
-- Reply: the new end of the lease in ms
local id, worker, token = ARGV[1] or '', ARGV[2] or '', ARGV[3] or ''
local lease = tonumber(ARGV[4])
if not lease or lease < 1 or lease > 31536000000 or lease % 1 ~= 0 then
	return redis.error_reply('BADARG the lease is 1 ms to 365 days, in ms')
end
local claim, why = own_claim(id, worker, token)
if not claim then
	return redis.error_reply(why)
end
redis.call('ZADD', leases, whole(now + lease), id)
return whole(now + lease)
