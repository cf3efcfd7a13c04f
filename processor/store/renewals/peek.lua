-- peek: the score of the first entry listed as open, to choose between the
-- queues of several partition groups. Ended leases are open before that.
--
-- ARGV: window ('' for any)
-- Reply: the score as text; nil when nobody is open
local window = ARGV[1] or ''
collect(1000)
local top = redis.call('ZREVRANGE',
	window == '' and open or open .. ':' .. window, 0, 0, 'WITHSCORES')
return top[2] or false
