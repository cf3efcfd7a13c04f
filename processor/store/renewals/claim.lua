-- claim: the first accounts of the queue that nobody has.
--
-- ARGV: worker, lease in ms, how many at most, window ('' for any), '*' for the
-- whole view
-- Reply: how many entries are still listed as open (0: there is no more), then
-- for each account: id, token, end of the lease in ms, and of its view, as
-- name, value, ...: all, or without the '*' renewal.date, .window, .priority
local MAX = 1000     -- accounts of one call
local LOOKS = 10000  -- entries looked at in one call, which blocks Redis
local worker, window = ARGV[1], ARGV[4] or ''
local lease, count = tonumber(ARGV[2]), tonumber(ARGV[3] or 1)
if not worker or worker == '' or string.find(worker, '%c') then
	return redis.error_reply('BADARG the worker needs a name')
end
if not lease or lease < 1 or lease > 31536000000 or lease % 1 ~= 0 then
	return redis.error_reply('BADARG the lease is 1 ms to 365 days, in ms')
end
if not count or count < 1 or count > MAX or count % 1 ~= 0 then
	return redis.error_reply('BADARG the count is 1 to ' .. MAX)
end
local source = window == '' and open or open .. ':' .. window
local ends = whole(now + lease)
local is_whole = ARGV[5] == '*'
local reply = {0}

collect(100 + count)
for look = 1, LOOKS do
	local top = redis.call('ZPOPMAX', source)
	local id = top[1]
	if not id then
		break
	end
	if redis.call('ZSCORE', queue, id) and
		not redis.call('ZSCORE', leases, id) then
		local what, where, view = mark(id)
		local is_done = redis.call('HGET', done, id) == what
		-- It is listed twice. An entry of a window he has left goes,
		-- and nothing else.
		if window == '' then
			redis.call('ZREM', open .. ':' .. where, id)
		elseif is_done or window == where then
			redis.call('ZREM', open, id)
			redis.call('ZREM', open .. ':' .. where, id)
		end
		if not is_done and (window == '' or window == where) then
			local token = string.format('%x.%s.%d', time[1], time[2],
				look)
			redis.call('ZADD', leases, ends, id)
			redis.call('HSET', claims, id, token .. ' ' .. whole(now) ..
				' ' .. what .. ' ' .. worker)
			reply[#reply + 1] = {id, token, ends, is_whole and
				redis.call('HGETALL', home .. 'acct:' .. id) or
				{'renewal.date', view[1] or '', 'renewal.window',
				where, 'renewal.priority', view[3] or ''}}
		end
	end
	if #reply > count then
		break
	end
end
reply[1] = redis.call('ZCARD', source)
return reply
