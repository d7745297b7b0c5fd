package sqs

// Len is the number of queues, those of all regions and accounts.
func (s *Service) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.queues)
}
