package dev.mullion.messaging.engine;

import dev.mullion.messaging.Message;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The answer to a request: a message or an error.
 *
 * @param id the request's id, as given to {@link EngineLink#request}
 * @param status whether this is a reply, and else what kind of error
 * @param message the reply; empty for an error
 * @param error the error's text; empty for a reply
 */
public record Reply(long id, Status status, Optional<Message<byte[]>> message, String error) {

  /** Returns a reply with a message. */
  public static Reply of(long id, Message<byte[]> message) {
    return new Reply(id, Status.OK, Optional.of(message), "");
  }

  /** Returns an error. */
  public static Reply error(long id, Status status, @Nullable String error) {
    return new Reply(id, status, Optional.empty(), error == null ? "" : error);
  }

  /** How a request ended. */
  public enum Status {
    /** The replier answered. */
    OK,
    /** The replier threw an exception. */
    FAILED,
    /** The replier's codec could not decode the request. */
    UNDECODABLE,
    /** The replier's process or connection was lost before it answered. */
    LOST
  }
}
