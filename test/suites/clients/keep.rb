# redis-rb and Sidekiq with their defaults for some seconds, during which the master changes.
# No command may fail and the worker may complain of nothing. Reports as report.py describes.
#
#   ruby keep.rb SECONDS
require "tempfile"
require "timeout"
require "sidekiq/api"
require_relative "sidekiq_jobs"

$stdout.sync = true
Redis.sadd_returns_boolean = false # else it says each time that this will be so
def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
UNTIL = now + Float(ARGV[0])

def going?
  sleep 0.005
  now < UNTIL
end

def check(name)
  Thread.new do
    yield
    puts "pass\t#{name}"
  rescue Exception => e
    puts "fail\t#{name}\t#{"#{e.class}: #{e.message}".split.join(" ")[0, 300]}"
  end
end

def must_be(want, got)
  raise "#{got.inspect} instead of #{want.inspect}" unless want == got
end

commands = check("redis-rb: commands, transactions") do
  r = Redis.new
  id = r.client(:id)
  n = 0
  while going?
    n += 1
    must_be n, r.incr("rb:n")
    must_be [n, n.to_s], r.multi { |t| t.rpush("rb:list", n); t.get("rb:n") }
  end
  must_be id, r.client(:id)
end

blocking = check("redis-rb: blocking") do
  r = Redis.new
  popping = Thread.new do
    c = Redis.new
    n = 0
    while (value = c.blpop("rb:queue", timeout: 0)[1]) != "end"
      n += 1
      must_be n.to_s, value
    end
  end
  popping.report_on_exception = false
  n = 0
  r.rpush("rb:queue", n += 1) while going?
  r.rpush("rb:queue", "end")
  raise "the last elements were not popped" unless popping.join(10)
end

sidekiq = check("Sidekiq: a worker") do
  log = Tempfile.new("sidekiq")
  pid = spawn("sidekiq", "-r", "#{__dir__}/sidekiq_jobs.rb", "-c", "2", out: log.path, err: log.path)
  n = 0
  while going?
    Count.perform_async("rb:jobs")
    n += 1
    sleep 0.05
  end
  Timeout.timeout(20) { sleep 0.1 until Redis.new.get("rb:jobs") == n.to_s }
  Process.kill("TERM", pid)
  Process.wait(pid)
  said = File.read(log.path).lines.grep(/ERROR|WARN|Redis::/)
  raise said.first(3).join(" ") unless said.empty?
end

[commands, blocking, sidekiq].each(&:join)
