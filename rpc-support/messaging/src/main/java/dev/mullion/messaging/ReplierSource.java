package dev.mullion.messaging;

import dev.mullion.messaging.engine.Sink;
import java.util.LinkedHashSet;
import java.util.Set;

/** A replier's subscription to a subject. */
final class ReplierSource extends EmbeddedSource {
  final SubjectQueue subject;
  final Set<RequestDelivery> held = new LinkedHashSet<>(); // guarded by the subject's lock

  ReplierSource(EmbeddedLink link, Sink sink, SubjectQueue subject) {
    super(link, sink);
    this.subject = subject;
  }

  @Override
  void credited() {
    subject.credited();
  }

  @Override
  void withdrawn() {
    subject.remove(this);
  }

  @Override
  void giveBack() {
    subject.giveBack(this);
  }
}
