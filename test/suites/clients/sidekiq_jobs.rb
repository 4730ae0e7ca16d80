# The jobs of sidekiq_use.rb, whose work stands in Redis, and of test/clients.
require "sidekiq"

class Count
  include Sidekiq::Worker
  def perform(key, by = 1)
    Sidekiq.redis { |c| c.incrby(key, by) }
  end
end

class Note
  include Sidekiq::Worker
  def perform(key, what)
    Sidekiq.redis { |c| c.rpush(key, what) }
  end
end

class Fails
  include Sidekiq::Worker
  sidekiq_options retry: 3
  def perform
    raise ArgumentError, "as asked"
  end
end

class FailsForGood
  include Sidekiq::Worker
  sidekiq_options retry: 0
  def perform
    raise ArgumentError, "as asked"
  end
end

class Sleeps
  include Sidekiq::Worker
  def perform(seconds, key)
    sleep seconds
    Sidekiq.redis { |c| c.set(key, "slept") }
  end
end

# Run leaves a line in a file, so that runs can be counted without Redis.
class Run
  include Sidekiq::Worker
  def perform(n, seconds)
    sleep seconds if seconds > 0
    File.open(File.join(ENV["RUNS"], Process.pid.to_s), "a") { |f| f.write("#{n}\n") }
  end
end
