package dev.mullion.framing.tcp;

import dev.mullion.framing.tcp.Place.Request;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The recipients of the next replies, in the order in which the answered frames were sent. A frame
 * gets its place here at the same moment as its bytes get theirs in the stream. A frame whose bytes
 * are never sent has no place.
 *
 * <pre>{@code
 *  ----------------------------------------------------------
 *  sent:       greeting   request 1   event   event   request 2
 *  due here:   NOBODY     request 1   NOBODY  NOBODY  request 2
 * }</pre>
 *
 * <p>Recording begins with the connection: replies to frames sent before the first request may
 * still be pending when that request is made. Frames that are not requests are only counted, so
 * memory grows only with the requests in flight. Guarded by the lock of its {@link Outbound}.
 */
final class DueReplies {
  private @Nullable Deque<Request> requests; // made for the first request

  /** The number of non-request frames before the first request. */
  private long leading;

  private @Nullable IOException ended;

  /** Records a frame in stream order; no reply is due for it if {@code place} is {@code null}. */
  void add(@Nullable Place place) {
    if (place instanceof Request request) {
      if (requests == null) {
        requests = new ArrayDeque<>();
      }
      requests.add(request);
    } else if (place != null) {
      Request last = requests == null ? null : requests.peekLast();
      if (last == null) {
        leading++;
      } else {
        last.followers++;
      }
    }
  }

  /** Returns the recipient of the next reply, or {@code null} if none is due. */
  @Nullable
  Place poll() {
    if (leading > 0) {
      leading--;
      return Place.NOBODY;
    }
    Request next = requests == null ? null : requests.poll();
    if (next != null) {
      leading = next.followers;
    }
    return next;
  }

  /** Returns how many requests await replies, including those that their senders gave up. */
  int requests() {
    return requests == null ? 0 : requests.size();
  }

  /** Adds these requests to others. */
  void addRequests(List<Request> to) {
    if (requests != null) {
      to.addAll(requests);
    }
  }

  /** Ends the replies. Returns the requests that still wait for one. */
  List<Request> end(IOException why) {
    ended = why;
    List<Request> lost = requests == null ? List.of() : new ArrayList<>(requests);
    requests = null;
    return lost;
  }

  /** Returns why the replies ended, or {@code null} while more may arrive. */
  @Nullable
  IOException ended() {
    return ended;
  }
}
