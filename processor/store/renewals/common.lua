-- What the scripts of the renewal queue share; it stands before each of them.
--
-- KEYS[1] is the queue, segd:renewals (or segd:{N}:renewals). All other keys
-- are made of its name, so they are in its slot:
--   ..:open, ..:open:<window>  who may be claimed. Who may not can be in it as
--                              well (segmentd adds whoever has moved): claim
--                              looks, and drops him
--   ..:leases                  account -> ms at which the lease ends
--   ..:claims                  account -> "token since day window worker"
--   ..:done                    account -> "day window", until he leaves those
-- The queue and the accounts' views are segmentd's: scripts only read them.
--
-- INVARIANT: whoever is in the queue is open, claimed, or done with for the
-- day and window he is in.
local queue = KEYS[1]
local home = string.match(queue, '^(.*:)renewals$')
if not home then
	return redis.error_reply('BADKEY ' .. queue .. ' is not a renewal queue')
end
local open, leases = queue .. ':open', queue .. ':leases'
local claims, done = queue .. ':claims', queue .. ':done'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function whole(n)
	return string.format('%.0f', n)
end

-- The day (of UTC) and the window: what a claim is for. Then the window, and
-- date, window and priority as they are.
local function mark(id)
	local view = redis.call('HMGET', home .. 'acct:' .. id, 'renewal.date',
		'renewal.window', 'renewal.priority')
	local window = view[2] or '-'
	return string.sub(view[1] or '-', 1, 10) .. ' ' .. window, window, view
end

-- Nobody has it any more. Whoever has left the queue is not offered again.
local function offer(id)
	local score = redis.call('ZSCORE', queue, id)
	redis.call('ZREM', leases, id)
	redis.call('HDEL', claims, id)
	if not score then
		return false
	end
	local _, window = mark(id)
	redis.call('ZADD', open, score, id)
	redis.call('ZADD', open .. ':' .. window, score, id)
	return true
end

-- Leases that have ended; so many at most, the others at the next call.
local function collect(max)
	local ended = redis.call('ZRANGEBYSCORE', leases, '-inf', whole(now),
		'LIMIT', 0, max)
	for _, id in ipairs(ended) do
		offer(id)
	end
end

local function claim_of(id)
	local text = redis.call('HGET', claims, id)
	if not text then
		return nil
	end
	local token, since, day, window, worker =
		string.match(text, '^(%S+) (%S+) (%S+) (%S+) (.*)$')
	return {token = token, since = since, mark = day .. ' ' .. window,
		worker = worker,
		ends = tonumber(redis.call('ZSCORE', leases, id) or 0)}
end

-- The claim of this worker, or why it is none of his. A token of '' stands for
-- whichever he has.
local function own_claim(id, worker, token)
	local claim = claim_of(id)
	if not claim then
		if redis.call('EXISTS', home .. 'acct:' .. id) == 0 then
			return nil, 'NOACCOUNT there is no account ' .. id
		end
		return nil, 'UNCLAIMED nobody has claimed ' .. id ..
			', or the lease has ended'
	end
	if claim.worker ~= worker then
		return nil, 'FOREIGN ' .. id .. ' is claimed by ' .. claim.worker
	end
	if token ~= '' and token ~= claim.token then
		return nil, 'FOREIGN ' .. id .. ' was claimed again by ' .. worker ..
			', with another token'
	end
	if claim.ends <= now then
		return nil, 'EXPIRED the lease of ' .. id .. ' has ended ' ..
			whole(now - claim.ends) .. ' ms ago'
	end
	return claim
end
