# The jobs of sidekiq_use.rb. What they have done stands in Redis.
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
