package dev.mullion.messaging;

/**
 * Whether an engine can be reached.
 *
 * @param up whether it can
 * @param detail what is wrong, with the address; empty when up
 */
public record Health(boolean up, String detail) {}
