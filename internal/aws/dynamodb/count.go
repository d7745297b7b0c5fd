package dynamodb

// Len is the number of tables, those of all regions and accounts.
func (s *Service) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.tables)
}
