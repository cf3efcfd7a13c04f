-- list: a part of the queue in its order, whoever has it. Nothing is changed.
--
-- ARGV: how many to leave out, how many to look at (up to 1000)
-- Reply: for each account: id, score, state, worker ('' nobody), end of the
-- lease in ms ('' none), date, window, priority. States: open, claimed, done,
-- and lost, which must not be: neither open nor claimed nor done with
local from, count = tonumber(ARGV[1] or 0), tonumber(ARGV[2] or 100)
if not from or from < 0 or not count or count < 1 or count > 1000 then
	return redis.error_reply('BADARG from 0 on, and 1 to 1000 of them')
end
local page = redis.call('ZREVRANGE', queue, from, from + count - 1,
	'WITHSCORES')
local reply = {}
for i = 1, #page, 2 do
	local id = page[i]
	local view = redis.call('HMGET', home .. 'acct:' .. id, 'renewal.date',
		'renewal.window', 'renewal.priority')
	local claim = claim_of(id)
	local state = 'lost'
	if claim and claim.ends > now then
		state = 'claimed'
	elseif claim then
		state = 'open'
	elseif redis.call('HGET', done, id) == mark(id) then
		state = 'done'
	elseif redis.call('ZSCORE', open, id) and
		redis.call('ZSCORE', open .. ':' .. (view[2] or '-'), id) then
		state = 'open'
	end
	local is_claimed = state == 'claimed'
	reply[#reply + 1] = {id, page[i + 1], state,
		is_claimed and claim.worker or '',
		is_claimed and whole(claim.ends) or '',
		view[1] or '', view[2] or '', view[3] or ''}
end
return reply
