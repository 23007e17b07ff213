package dev.mullion.messaging.tck;

import org.junit.jupiter.api.Nested;

/**
 * The whole suite in one class. To test an engine of your own:
 *
 * <pre>{@code
 * class MyEngineTest extends MessagingTck {
 *   @Override
 *   protected EngineUnderTest startEngine() throws Exception {
 *     return EngineUnderTest.of(EmbeddedEngine.inMemory().start()); // yours
 *   }
 * }
 * }</pre>
 *
 * <p>One subclass for each chapter, such as {@link PushPullSuite}, lets them run side by side.
 */
public abstract class MessagingTck {

  /** Creates the suite. */
  protected MessagingTck() {}

  /** Starts the engine for one test, or returns one that all tests share. */
  protected abstract EngineUnderTest startEngine() throws Exception;

  @Nested
  class Messages extends MessageSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }

  @Nested
  class PublishSubscribe extends PublishSubscribeSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }

  @Nested
  class Topics extends TopicSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }

  @Nested
  class SlowSubscribers extends OverflowSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }

  @Nested
  class PushPull extends PushPullSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }

  @Nested
  class Redeliveries extends RedeliverySuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }

  @Nested
  class Queues extends QueueSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }

  @Nested
  class RequestReply extends RequestReplySuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }

  @Nested
  class RequestLife extends RequestLifeSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }

  @Nested
  class FireAndForget extends FireAndForgetSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }

  @Nested
  class Life extends LifeSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }

  @Nested
  class Failures extends FailureSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }

  @Nested
  class Outages extends OutageSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }

  @Nested
  class Stress extends StressSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return MessagingTck.this.startEngine();
    }
  }
}
