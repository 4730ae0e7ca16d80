# What apps use of Sidekiq and of redis-rb, with their defaults, against 127.0.0.1:6379.
# Reports as report.py describes.
require "timeout"
require "tempfile"
require "sidekiq/api"
require_relative "sidekiq_jobs"

$stdout.sync = true
Redis.sadd_returns_boolean = false # else it says each time that this will be so
HERE = __dir__
TESTS = []

def check(name, &block)
  TESTS << [name, block]
end

def must(condition, what = "not so")
  raise what.to_s unless condition
end

def must_be(want, got)
  raise "#{got.inspect} instead of #{want.inspect}" unless want == got
end

def eventually(seconds = 15)
  Timeout.timeout(seconds) do
    until (got = yield)
      sleep 0.02
    end
    return got
  end
end

def redis
  $redis ||= Redis.new
end

# with_worker runs a Sidekiq process; afterwards it must have ended in peace and complained of nothing.
def with_worker(*options)
  log = Tempfile.new("sidekiq")
  pid = spawn("sidekiq", "-r", "#{HERE}/sidekiq_jobs.rb", "-c", "3", "-t", "3", *options, out: log.path, err: log.path)
  yield pid
ensure
  if pid
    Process.kill("TERM", pid) rescue nil
    Timeout.timeout(20) { Process.wait(pid) } rescue nil
    said = File.read(log.path)
    raise said[-1500..] || said if said =~ /Redis::|RedisClient|heartbeat:|Error fetching job/
  end
end

# --- redis-rb

check("commands") do
  must_be "PONG", redis.ping
  redis.set("a", 1, ex: 10)
  must_be 2, redis.incr("a")
  redis.mapped_hmset("h", "x" => 1, "y" => 2)
  must_be({"x" => "1", "y" => "2"}, redis.hgetall("h"))
  redis.zadd("z", [[1, "one"], [2, "two"]])
  must_be [["one", 1.0], ["two", 2.0]], redis.zrange("z", 0, -1, with_scores: true)
  must_be "master", redis.info["role"]
  value = "\x00\r\n".b * 1_000_000
  redis.set("binary", value)
  must_be value, redis.get("binary").b
end

check("pipelined and multi") do
  must_be ["OK", 2, "2"], redis.pipelined { |p| p.set("a", 1); p.incr("a"); p.get("a") }
  must_be ["OK", 2], redis.multi { |t| t.set("a", 1); t.incr("a") }
  must_be 5000, redis.pipelined { |p| 5000.times { |n| p.set("k#{n}", n) } }.size
end

check("watch") do
  other = Redis.new
  redis.set("a", 1)
  must_be ["OK"], redis.watch("a") { redis.multi { |t| t.set("a", 2) } }
  must_be nil, redis.watch("a") { other.set("a", 9); redis.multi { |t| t.set("a", 3) } }
  must_be "9", redis.get("a")
end

check("blocking") do
  must_be nil, redis.blpop("none", timeout: 1)
  t = Thread.new { sleep 0.2; Redis.new.rpush("late", "x") }
  must_be ["late", "x"], redis.brpop("late", timeout: 5)
  t.join
end

check("subscribe and psubscribe") do
  got = []
  t = Thread.new do
    Redis.new.subscribe("one") do |on|
      on.subscribe { Redis.new.publish("one", "first") }
      on.message do |channel, message|
        got << [channel, message]
        raise StopIteration if message == "end"
        Redis.new.publish("one", "end")
      end
    end
  rescue StopIteration
    nil
  end
  must t.join(5)
  must_be [["one", "first"], ["one", "end"]], got
  t = Thread.new do
    Redis.new.psubscribe("p*") { |on| on.psubscribe { Redis.new.publish("px", "y") }; on.pmessage { |*m| got = m; Thread.exit } }
  end
  must t.join(5)
  must_be ["p*", "px", "y"], got
end

check("unsubscribe and go on") do
  c = Redis.new
  c.subscribe("one") { |on| on.subscribe { Redis.new.publish("one", "x") }; on.message { c.unsubscribe } }
  must_be "PONG", c.ping
end

check("scripts and errors") do
  sha = redis.script(:load, "return ARGV[1] * 2")
  must_be 8, redis.evalsha(sha, [], [4])
  redis.script(:flush)
  begin
    redis.evalsha(sha, [], [4])
    raise "no error"
  rescue Redis::CommandError => e
    must e.message.start_with?("NOSCRIPT")
  end
  redis.set("text", "x")
  begin
    redis.incr("text")
    raise "no error"
  rescue Redis::CommandError => e
    must e.message.include?("not an integer")
  end
end

check("database, name and password") do
  c = Redis.new(url: "redis://localhost:6379/4", id: "named")
  c.set("here", 1)
  must_be nil, redis.get("here")
  must redis.client(:list).any? { |x| x["name"] == "named" && x["db"] == "4" }
  begin
    Redis.new(password: "unneeded").get("a")
    raise "no error"
  rescue Redis::CommandError => e
    must e.message.include?("without any password"), e.message
  end
end

check("scan") do
  redis.mset(*(0...2000).flat_map { |n| ["scan:#{n}", n] })
  must_be 2000, redis.scan_each(match: "scan:*").to_a.uniq.size
end

# --- Sidekiq

check("jobs run") do
  with_worker do
    50.times { Count.perform_async("n") }
    eventually { redis.get("n") == "50" }
    eventually { Sidekiq::Stats.new.processed == 50 }
    must_be 0, Sidekiq::Queue.new.size
  end
end

check("a waiting worker wakes up") do
  with_worker do
    eventually { Sidekiq::ProcessSet.new.size == 1 }
    sleep 3 # BRPOP's time is 2 s
    start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    Count.perform_async("n")
    eventually { redis.get("n") == "1" }
    must Process.clock_gettime(Process::CLOCK_MONOTONIC) - start < 1
  end
end

check("bulk and queues by weight") do
  Sidekiq::Client.push_bulk("class" => Count, "args" => Array.new(1500) { ["bulk"] })
  Count.set(queue: "low").perform_async("low")
  with_worker("-q", "default,3", "-q", "low,1") { eventually(30) { redis.get("bulk") == "1500" && redis.get("low") == "1" } }
end

check("scheduled jobs") do
  Count.perform_in(1, "soon")
  Count.perform_in(3600, "later")
  must_be 2, Sidekiq::ScheduledSet.new.size
  Sidekiq::ScheduledSet.new.find { |j| j.args == ["soon"] }.add_to_queue
  with_worker { eventually { redis.get("soon") == "1" } }
  must_be 1, Sidekiq::ScheduledSet.new.size
end

check("the poller enqueues what is due") do
  Count.perform_in(1, "due")
  with_worker { eventually(60) { redis.get("due") == "1" } }
end

check("retries and the dead") do
  Fails.perform_async
  FailsForGood.perform_async
  with_worker do
    eventually { Sidekiq::RetrySet.new.size == 1 && Sidekiq::Stats.new.failed == 2 }
  end
  job = Sidekiq::RetrySet.new.first
  must_be "as asked", job["error_message"]
  job.kill
  must_be [0, 2], [Sidekiq::RetrySet.new.size, Sidekiq::DeadSet.new.size]
  Sidekiq::DeadSet.new.first.retry
  must_be 1, Sidekiq::Queue.new.size
end

check("queues from outside") do
  3.times { |n| Note.perform_async("notes", n.to_s) }
  q = Sidekiq::Queue.new
  must_be [%w[notes 2], %w[notes 1], %w[notes 0]], q.map(&:args)
  must q.find_job(q.first.jid)
  q.first.delete
  must_be 2, q.size
  must q.latency >= 0
  q.clear
  must_be 0, q.size
end

check("an unfinished job goes back at shutdown") do
  with_worker("-c", "1", "-t", "1") do # an idle thread would take it again
    Sleeps.perform_async(30, "slept")
    eventually { Sidekiq::Workers.new.size == 1 }
  end
  must_be 1, Sidekiq::Queue.new.size
end

check("quiet and stop from outside") do
  with_worker do |pid|
    eventually { Sidekiq::ProcessSet.new.size == 1 }
    Sidekiq::ProcessSet.new.each(&:quiet!)
    eventually(20) { Sidekiq::ProcessSet.new.first&.stopping? || Sidekiq::ProcessSet.new.first&.[]("quiet") == "true" }
    Sidekiq::ProcessSet.new.each(&:stop!)
    eventually(20) { Sidekiq::ProcessSet.new.size == 0 }
  end
end

TESTS.each do |name, block|
  next unless ARGV.empty? || ARGV.include?(name)
  begin
    Redis.new.flushall
    Timeout.timeout(90, &block)
    puts "pass\t#{name}"
  rescue Exception => e # whatever it is, the next test is to run
    at = e.backtrace&.find { |l| l.include?(File.basename(__FILE__)) }
    puts "fail\t#{name}\t#{"#{e.class}: #{e.message} (#{at&.split("/")&.last})".split.join(" ")[0, 300]}"
  end
end
