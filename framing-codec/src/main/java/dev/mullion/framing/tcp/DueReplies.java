package dev.mullion.framing.tcp;

import dev.mullion.framing.tcp.Place.Request;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * To whom the next replies belong, in the order in which the frames that they answer were sent. A
 * frame gets its place here in the moment in which its bytes get theirs in the stream, and one
 * whose bytes are never sent has none.
 *
 * <pre>{@code
 *  ----------------------------------------------------------
 *  sent:       greeting   request 1   event   event   request 2
 *  due here:   NOBODY     request 1   NOBODY  NOBODY  request 2
 * }</pre>
 *
 * <p>It begins with the connection, since the replies to what was sent before the first request may
 * not have come when that is made. Frames that are no requests are only counted, so that it grows
 * with the requests in flight alone. Guarded by the lock of its {@link Outbound}.
 */
final class DueReplies {
  private final Deque<Request> requests = new ArrayDeque<>(0);

  /** How many frames that are no requests are before the first request. */
  private long leading;

  private @Nullable IOException ended;

  /**
   * Says that a frame has its place in the stream; that no reply to it is due if it has none here.
   */
  void add(@Nullable Place place) {
    if (place instanceof Request request) {
      requests.add(request);
    } else if (place != null) {
      Request last = requests.peekLast();
      if (last == null) {
        leading++;
      } else {
        last.followers++;
      }
    }
  }

  /** Returns to whom the next reply belongs, or {@code null} if none is due. */
  @Nullable
  Place poll() {
    if (leading > 0) {
      leading--;
      return Place.NOBODY;
    }
    Request next = requests.poll();
    if (next != null) {
      leading = next.followers;
    }
    return next;
  }

  /**
   * Returns how many requests wait for their replies, those that their senders gave up included.
   */
  int requests() {
    return requests.size();
  }

  /** Says that no more replies come. Returns the requests that wait for one. */
  List<Request> end(IOException why) {
    ended = why;
    List<Request> lost = new ArrayList<>(requests);
    requests.clear();
    return lost;
  }

  /** Returns why no more replies come, or {@code null} as long as they may. */
  @Nullable
  IOException ended() {
    return ended;
  }
}
