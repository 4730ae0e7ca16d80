# Enqueues at least JOBS Sidekiq jobs until its input ends, waits until they have run, and says what
# became of them.
#
#   ruby sidekiq_producer.rb JOBS PER_SECOND
#
# Short jobs, long ones (3 s) and scheduled ones.
require "json"
require "sidekiq/api"
require_relative "sidekiq_app"

$stdout.sync = true
jobs, rate = ARGV[0].to_i, ARGV[1].to_f
$over = false
def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
told = Hash.new(0)
slowest = 0.0

# runs counts how often each job has run.
def runs
  Dir[File.join(ENV["RUNS"], "*")].flat_map { |f| File.readlines(f).map(&:to_i) }.tally
end

# enqueue sends the job; an application that does not know whether it was sent sends it again.
enqueue = lambda do |n|
  began = now
  begin
    n % 10 == 2 ? Run.perform_in(2, n, 0) : Run.perform_async(n, n % 40 == 1 ? 3 : 0)
  rescue Redis::BaseError => e
    told["#{e.class}: #{e.message}"[0, 160]] += 1
    retry
  ensure
    slowest = [slowest, now - began].max
  end
end

Sidekiq.redis(&:ping)
puts "ready"
Thread.new { $stdin.read; $over = true }
sent = 0
due = now
while sent < jobs || !$over
  enqueue.(sent += 1)
  due += 1 / rate
  sleep(due - now) if !$over && due > now
end
sleep 0.1 until $over
before, since = nil, now
until (ran = runs).size == sent || now - since > 60
  before, since = ran, now if ran != before
  sleep 0.2
end
never = (1..sent).reject { |n| ran[n] }
puts({
  act: "jobs", sent: sent, told: told, slowest: slowest, wrong: never.first(10).map { |n| "job #{n} has not run" },
  figures: {
    "run once": ran.count { |_, times| times == 1 }, "run twice": ran.count { |_, times| times > 1 }, "never run": never.size,
    "failed attempts": Sidekiq::Stats.new.failed, "to be retried": Sidekiq::RetrySet.new.size
  }
}.to_json)
