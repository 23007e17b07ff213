package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Source;
import java.io.IOException;
import java.util.concurrent.TimeoutException;

/** A source that starts on each session of its link. */
interface Restored extends Source {

  /** Starts on a session, unless it has; blocks, within the client's bounds. */
  void subscribe(Session session) throws IOException, TimeoutException, MessagingException;

  /** Forgets what a session had delivered: the broker has it again. */
  void lost(Session session);

  /** Forgets what a session had delivered, with one of its channels; false if that is no loss. */
  boolean lost(Session session, Channel channel);

  /** Looks after what waits; called now and then. */
  default void look() {}

  /** Returns how many jobs of a queue are held. */
  default int inFlight(Route.Queue queue) {
    return 0;
  }

  /** Ends this with an error. */
  void failed(MessagingException cause);
}
