//! Plans as JMeter saves them, what becomes of them, and what is refused.
