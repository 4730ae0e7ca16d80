# redis-rb with its defaults until the standard input ends, while the master changes. Prints a
# report for each act: see report in program_test.go.
#
#   ruby use.rb NAME
require "json"
require "redis"

$stdout.sync = true
NAME = ARGV[0]
PRINTING = Mutex.new # a line is one report
$over = false
def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

def going?
  sleep 0.01
  !$over
end

# TIMEOUT is a time-out in seconds instead of the library's own.
def client
  options = { url: ENV["REDIS_URL"] }
  options[:timeout] = ENV["TIMEOUT"].to_f if ENV["TIMEOUT"]
  Redis.new(**options)
end

Report = Struct.new(:act, :list, :sent, :doubt, :told, :reconnects, :slowest, :lost, :doubled, :wrong) do
  # call gives [true, reply], or [false] and the error is counted.
  def call(waits: false)
    began = now
    [true, yield]
  rescue Redis::BaseError => e
    told["#{e.class}: #{e.message}"[0, 160]] += 1
    [false]
  ensure
    self.slowest = [slowest, now - began].max unless waits
  end
end

def writes(r)
  c = client
  first = c.client(:id)
  r.list = "#{NAME}:writes"
  while going?
    r.sent += 1
    r.doubt << r.sent unless r.call { c.rpush(r.list, r.sent) }[0]
  end
  r.reconnects = c.client(:id) == first ? 0 : 1
end

def transactions(r)
  c = client
  first = c.client(:id)
  r.list = "#{NAME}:transactions"
  while going?
    r.sent += 1
    ok, got = r.call { c.multi { |t| t.rpush(r.list, r.sent); t.set("#{NAME}:last", r.sent); t.get("#{NAME}:last") } }
    if !ok
      r.doubt << r.sent
    elsif got[2] != r.sent.to_s
      r.wrong << "transaction #{r.sent} answered #{got}"
    end
  end
  r.reconnects = c.client(:id) == first ? 0 : 1
end

def blocking(r)
  key = "#{NAME}:queue"
  popped = []
  popping = Thread.new do
    c = client
    loop do
      ok, got = r.call(waits: true) { c.blpop(key, timeout: 2) }
      break if ok && got && got[1] == "end"
      popped << got[1].to_i if ok && got
    end
  end
  c = client
  while going?
    r.sent += 1
    r.doubt << r.sent unless r.call { c.rpush(key, r.sent) }[0]
  end
  nil until r.call { c.rpush(key, "end") }[0]
  r.wrong << "the last elements were not popped" unless popping.join(30)
  r.lost = ((1..r.sent).to_a - popped - r.doubt).size
  r.doubled = popped.size - popped.uniq.size
end

players = %i[writes transactions blocking].map do |act|
  Thread.new do
    r = Report.new(act, "", 0, [], Hash.new(0), 0, 0.0, 0, 0, [])
    begin
      send(act, r)
    rescue StandardError => e
      r.wrong << "#{e.class}: #{e.message}"
    end
    PRINTING.synchronize { puts r.to_h.to_json }
  end
end
puts "ready"
$stdin.read
$over = true
players.each(&:join)
